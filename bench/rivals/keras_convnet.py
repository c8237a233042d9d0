"""Keras's own example "Simple MNIST convnet" (keras.io/examples/vision/mnist_convnet), on Fashion-MNIST.

Its network, batch 128, Adam, `model.fit`; the backend is chosen by KERAS_BACKEND. `validation_split` is left out so
that Keras trains on all 60,000 images. Prints a JSON line after every epoch.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def read(name: str):
    pixels = gzip.open(FOLDER / f"{name}-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(FOLDER / f"{name}-labels-idx1-ubyte.gz").read()[8:]
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28, 1).astype("float32") / 255
    return images, keras.utils.to_categorical(np.frombuffer(labels, np.uint8), 10)


class Stop(keras.callbacks.Callback):
    def __init__(self, began: float, target: float, test) -> None:
        super().__init__()
        self.began, self.target, self.test = began, target, test

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        _, reached = self.model.evaluate(*self.test, batch_size=1000, verbose=0)
        print(
            json.dumps({"epoch": epoch + 1, "seconds": time.time() - self.began, "accuracy": float(reached)}),
            flush=True,
        )
        if reached >= self.target:
            self.model.stop_training = True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--target", type=float, default=0.91)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    train, test = read("train"), read("t10k")
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(
        *train,
        batch_size=128,
        epochs=options.epochs,
        verbose=0,
        callbacks=[Stop(options.began, options.target, test)],
    )


main()
