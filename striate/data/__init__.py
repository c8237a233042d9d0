"""Pictures in: from a folder or a name to arrays, and from arrays to batches.

In the order in which a dataset passes through the files:

    folder      which files belong to which class and which split
    scan        one look at every file: content digest, size, grey or colour, readable or not
    decode      one image file becomes uint8 pixels
    preprocess  pixels of one size, normalised: the same in training, evaluation and the bundle
    loading     a list of files becomes one array in memory
    idx, named, download   the named sets: embedded, installed, cached or fetched
    refusals    what a source must be to be trained on, each rule as the sentence that refuses it
    split       which training images are held out for validation, decided by their content
    dataset     what all of this yields: Dataset and ImageSet
    catalogue   open_dataset and open_split: a source becomes a Dataset
    check, findings   what is wrong with a source, before a night is spent on it
    augment     how training images are varied at random
    draws       random numbers by construction: functions of seed, epoch and index
    variation, batches   (torch) the variations carried out, and batches that any step can resume

Everything above the last line runs without torch.
"""
