"""Exchange: data in and data out. The rules of mappings, and the commands of imports."""
