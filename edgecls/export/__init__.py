"""From a trained Keras model, or somebody else's classifier, to one .onnx file that was measured before it was written."""
