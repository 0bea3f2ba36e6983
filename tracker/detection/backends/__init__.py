"""What runs an inference model folder: Paddle or OpenVINO, behind one interface."""
