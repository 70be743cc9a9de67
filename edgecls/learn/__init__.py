"""Learn a classifier from a few pictures: a frozen backbone with ImageNet weights, and a head that is fitted in seconds."""
