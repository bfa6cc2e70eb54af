"""The coarse-to-fine loop over a whole video, without torch. The story is `tsr.runtime.run`."""
