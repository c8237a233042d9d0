"""Keras's own example "Simple MNIST convnet" (keras.io/examples/vision/mnist_convnet), on Fashion-MNIST.

Its network, batch 128, Adam, `model.fit`; the backend is chosen by KERAS_BACKEND. `validation_split` is left out so
that Keras trains on all 60,000 images. Prints a JSON line after every epoch.
"""

import keras
from fashion import options, read, tell
from keras import layers


def prepared(name: str):
    images, labels = read(name)
    return images[..., None].astype("float32") / 255, keras.utils.to_categorical(labels, 10)


class Stop(keras.callbacks.Callback):
    def __init__(self, began: float, target: float, test) -> None:
        super().__init__()
        self.began, self.target, self.test = began, target, test

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        _, reached = self.model.evaluate(*self.test, batch_size=1000, verbose=0)
        tell(epoch + 1, self.began, reached)
        if reached >= self.target:
            self.model.stop_training = True


def main() -> None:
    asked = options(epochs=15).parse_args()
    keras.utils.set_random_seed(asked.seed)
    train, test = prepared("train"), prepared("t10k")
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
        epochs=asked.epochs,
        verbose=0,
        callbacks=[Stop(asked.began, asked.target, test)],
    )


main()
