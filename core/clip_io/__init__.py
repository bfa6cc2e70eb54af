"""Video files and frame folders in and out, with exact times and colours (PyAV)."""
