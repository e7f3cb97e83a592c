// Two fixes for GraphiQL's headers editor. Picking a history entry empties the editor, because headers are never stored: this
// restores the defaults. Typing a key does not fetch the schema that was refused without one: this fetches it.
import { useEditorContext, useSchemaStore } from "@graphiql/react";
import { useEffect } from "react";

export function Headers({ defaults }) {
  const { headerEditor } = useEditorContext({ nonNull: true });
  const { schema, introspect } = useSchemaStore();

  useEffect(() => {
    if (!headerEditor || !defaults) return undefined;
    // Text that the user clears stays cleared.
    const refill = (editor, change) => {
      if (change.origin === "setValue" && editor.getValue() === "") editor.setValue(defaults);
    };
    headerEditor.on("change", refill);
    return () => headerEditor.off("change", refill);
  }, [headerEditor, defaults]);

  useEffect(() => {
    if (!headerEditor || schema) return undefined;
    const retry = (editor) => editor.getValue().trim() && introspect();
    headerEditor.on("blur", retry);
    return () => headerEditor.off("blur", retry);
  }, [headerEditor, schema, introspect]);

  return null;
}
