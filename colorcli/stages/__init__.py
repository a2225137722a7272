"""The stages that turn a file into a coloured file; `colorcli.run` connects them with bounded queues.

    Job --decode--> Photo [--refer--> Photo] --batch--> Batch --infer--> Colored --encode--> Finished
          |                     |                                  |                  |
          +-- Failure           +-- Failure                        +-- Failure        +-- Failure

decode reads a photo's lightness at the network's size, and its colour hints; refer, for methods that need a reference,
gives it its reference's embedding, which is made once a run; batch groups like shapes; infer predicts
chroma and, if asked, where it looked; encode reopens the photo and recombines: it finds how chroma follows lightness,
joins the photo's own full lightness with that chroma, and writes the result, with its comparison and attention map.
Decode and encode stream the photo; what cannot stream (WebP, BMP, progressive JPEG) is whole in memory once, a turned
photo in memory or, above 50 megapixels, on disk.
"""
