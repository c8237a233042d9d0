"""Learning: any module, any batches, one loop that emits frozen events.

Read in this order: ``settings`` (what may be asked for), ``step`` (the one place where weights change),
``loop`` (``fit``), ``events`` (what a listener hears), ``checkpoint`` (how nothing is lost), ``team``
(several processes as one).
"""
