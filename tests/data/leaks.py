"""A program that reads with two processes and ends at once: what test_feed.py runs.

Arguments: the folder of the prepared set, and what becomes of the iterator: closed or forgotten.
"""

import sys
from pathlib import Path

from jaxsent.data.batches import eval_batches, train_batches
from tfds_builders.prepare import prepare

if __name__ == "__main__":
    builder = prepare("emoji_scenes", "tiny", Path(sys.argv[1]))
    options = dict(batch_size=16, image_size=96, workers=2)
    batches = train_batches(builder, "train", seed=0, **options)
    for _ in range(12):
        batch = next(batches)
    del batch
    if sys.argv[2] == "closed":
        batches.close()
    else:
        del batches
    for batch in eval_batches(builder, "test", resize=96, **options):
        del batch
