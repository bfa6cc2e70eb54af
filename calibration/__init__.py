"""Per-video activation ranges, Q/DQ nodes, and the gate that INT8 must pass."""
