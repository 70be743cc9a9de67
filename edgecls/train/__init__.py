"""From labelled pictures to a trained Keras model: `fit(TrainConfig(...))`."""
