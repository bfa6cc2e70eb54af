"""What happened in a run, as one self-contained page: `story.write_report`, or `tsr-report`."""
