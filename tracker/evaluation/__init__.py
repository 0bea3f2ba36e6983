"""How good tracks are: MOTA, IDF1 and HOTA against ground truth."""
