# The first 100 steps of the run on the dataset that is named, and the samples after them.
import itertools
import sys

import microgpt

train = microgpt.train
microgpt.train = lambda *args: itertools.islice(train(*args), 100)
microgpt.main(sys.argv[1:])
