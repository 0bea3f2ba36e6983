"""An image to detections: letterbox, network, decoding, embeddings."""
