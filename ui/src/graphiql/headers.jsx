// What GraphiQL leaves undone about the headers editor: its history empties the editor when an entry is picked, since
// headers are never stored, and a key typed into it does not bring the schema that was refused without one.
import { useEditorContext, useSchemaStore } from "@graphiql/react";
import { useEffect } from "react";

export function Headers({ defaults }) {
  const { headerEditor } = useEditorContext({ nonNull: true });
  const { schema, introspect } = useSchemaStore();

  useEffect(() => {
    if (!headerEditor || !defaults) return undefined;
    // What a person clears by hand stays cleared.
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
