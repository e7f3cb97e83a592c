// A fix for GraphiQL's headers editor: typing a key does not fetch the schema that was refused without one. This fetches it.
import { useEditorContext, useSchemaStore } from "@graphiql/react";
import { useEffect } from "react";

export function Headers() {
  const { headerEditor } = useEditorContext({ nonNull: true });
  const { schema, introspect } = useSchemaStore();

  useEffect(() => {
    if (!headerEditor || schema) return undefined;
    const retry = (editor) => editor.getValue().trim() && introspect();
    headerEditor.on("blur", retry);
    return () => headerEditor.off("blur", retry);
  }, [headerEditor, schema, introspect]);

  return null;
}
