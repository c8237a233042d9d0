"""Pictures in: from a folder or a name to arrays, and from arrays to batches.

In the order in which a dataset passes through the files:

    source      which kind of source a name means
    folder, table, shards (tar)    files: class folders, a CSV, tars         listing     what they list
    braces, remote (transfer)      patterns of shards; shards behind addresses, fetched once
    named (download), npz, idx     sets that are arrays already              arrays      checked
    scan        one look at every file: content digest, size, grey or colour, readable or not
    cache, facts   what is kept, and what a look told, for as long as a file stays as it is
    decode      one image file becomes uint8 pixels
    preprocess  pixels of one size, normalised: the same in training, evaluation and the bundle
    frame       the forms in which decoded images are kept: fitted, and whole photographs
    pixels, pack, store    in memory, in a file that is mapped, or decoded whenever they are asked for
    refusals, size, memory    what a source must be to be trained on
    split       which training images are held out for validation, decided by their content
    opening, array_source, file_source, files    a listing or arrays become sets of images
    dataset     what all of this yields: Dataset and ImageSet
    catalogue   open_dataset and open_split: a source becomes a Dataset
    check, twins, likeness, findings   what is wrong with a source, before a night is spent on it
    augment, presets   how training images are varied at random
    draws, sampling    random numbers and orders by construction: functions of seed, epoch and index
    stretch, cropping, colour, randaugment, mixing, variation   (torch) sizes and variations carried out
    batches     (torch) batches that any step can resume

Everything above the last two lines runs without torch.
"""
