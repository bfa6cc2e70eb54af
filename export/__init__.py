"""From a trained model to a file that the runtime executes. The story is `tsr.export.to_onnx`."""
