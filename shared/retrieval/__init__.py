"""Search before an answer: what to search for, the search itself, its sources, and what the model is given of them.

Knows Azure AI Search and the events of an answer; nothing of requests, formats and models, which its caller has. Imported only
where RETRIEVAL is not `off`.
"""
