"""Folders that lie elsewhere, by way of fsspec: `sftp://`, `s3://` and whatever else it has a driver for.

`address` is a URL whose password nobody sees; `drivers` makes fsspec's filesystems, `sftp` the one over SSH; `faults`
knows which errors pass; `store` reads and writes files whole, again where the way there failed; `search` finds photos.
"""
