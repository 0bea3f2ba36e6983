"""The page: cameras live, scenes drawn with the mouse, videos tracked for whoever uploads them.

FastAPI and uvicorn are imported here only, and only once a page is asked for.
"""
