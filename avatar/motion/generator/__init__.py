"""The learned motion at run time: sound features, the sound encoder, the four-step student. numpy and onnxruntime only."""
