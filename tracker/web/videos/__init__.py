"""Videos that visitors upload: kept, tracked one after the other, and shown."""
