"""A sudden mass of messages: noticed while it is being enqueued, and stopped by the kill switch.

`rule` says what is too many; `text` tells equal texts; `levels` counts; `watch` looks, and stops.
"""
