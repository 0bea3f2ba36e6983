"""What people look like: the vectors that are kept of somebody, who comes back, and how sure that is."""
