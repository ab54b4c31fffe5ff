"""Read-only numbers about sync for whoever observes it: queues, locations, what one correlation id led to.

The rule: nothing here locks, writes or counts without end. A question costs the same with a hundred million
jobs as with none; where there are more than can be counted cheaply, that is what it says.
"""
