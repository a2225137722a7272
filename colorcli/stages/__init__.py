"""The stages that turn a file into a coloured file; `colorcli.run` connects them with bounded queues.

    Job --decode--> Photo --batch--> Batch --infer--> Colored --recombine, encode--> Finished
          |                            |                          |
          +----------- Failure --------+-------- Failure ---------+

decode reads a photo's lightness at the network's size, and its colour hints; batch groups like shapes; infer predicts
chroma; recombine finds how chroma follows lightness; encode reopens the photo, joins its own full lightness with the
chroma and writes.
Decode and encode stream the photo; what cannot stream (WebP, BMP, progressive JPEG) is whole in memory once, a turned
photo in memory or, above 50 megapixels, on disk.
"""
