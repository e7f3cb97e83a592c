"""Exchange: data in and data out."""
