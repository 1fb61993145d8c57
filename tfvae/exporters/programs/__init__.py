"""Programs that `serve.py` runs in a fresh process; none of them imports this project."""
