"""The networks: what they are made of, and how an inference folder is made from their weights."""
