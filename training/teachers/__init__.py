"""Teachers: trained networks that find people and tell them apart where labels do not."""
