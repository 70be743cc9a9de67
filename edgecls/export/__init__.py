"""From a trained Keras model to one .onnx file that was measured before it was written: `build(...)`."""
