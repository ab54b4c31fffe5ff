"""The observed: everything that keeps GoHighLevel and TrainU in agreement. It never learns who listens."""
