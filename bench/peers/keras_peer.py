"""The workloads of src/bench/workload.ts in Keras 3: `keras_peer.py <backend> <mode> <threads>`; serve.py says how it is driven.

Modes: `graph` and `xla` on TensorFlow, tf.function without and with XLA; `jit` on JAX. (A file named keras.py would hide Keras.)
"""

import os
import sys

BACKEND, MODE, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ["KERAS_BACKEND"] = BACKEND
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["JAX_PLATFORMS"] = "cpu"
# The pool of XLA's client for the CPU, which has no option for it.
os.environ["PJRT_NPROC"] = str(THREADS)

import keras
import numpy as np
from keras import layers, ops
from serve import Run, serve

if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    VERSION = f"{keras.__version__} on TensorFlow {tf.__version__}"
else:
    import jax

    VERSION = f"{keras.__version__} on JAX {jax.__version__}"


def recurrent_layers(case: dict, **options) -> list[layers.Layer]:
    if case["projection"]:
        raise NotImplementedError("Keras has no projection")
    kind = {"lstm": layers.LSTM, "gru": layers.GRU}.get(case["cell"], layers.SimpleRNN)
    if kind is layers.SimpleRNN:
        options["activation"] = case["cell"][3:].lower()
    stack = [kind(case["hidden"], return_sequences=True, **options) for _ in range(case["layers"])]
    return [layers.Bidirectional(layer) for layer in stack] if case["bidirectional"] else stack


def language_model(case: dict) -> keras.Model:
    """From tokens [B,T], and a mask where sequences end early, to logits [B,T,V]."""
    T, B, V = case["steps"], case["batch"], case["vocabulary"]
    tokens = keras.Input(batch_shape=(B, T), dtype="int32")
    mask = keras.Input(batch_shape=(B, T), dtype="bool") if "lengths" in case else None
    hidden = ops.one_hot(tokens, V)
    for layer in recurrent_layers(case):
        hidden = layer(hidden, mask=mask)
    return keras.Model([tokens] if mask is None else [tokens, mask], layers.Dense(V)(hidden))


def training(case: dict) -> Run:
    T, B, V = case["steps"], case["batch"], case["vocabulary"]
    model = language_model(case)
    optimizer = keras.optimizers.SGD(learning_rate=0.1, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)
    x, y = (random.integers(0, V, (B, T)).astype("int32") for _ in range(2))
    inputs, weights = [x], np.ones((B, T), "float32")
    if "lengths" in case:
        mask = np.arange(T) < np.array(case["lengths"])[:, None]
        inputs, weights = [x, mask], mask.astype("float32")

    def loss_of(logits, y, weights):
        losses = ops.sparse_categorical_crossentropy(y, ops.cast(logits, "float32"), from_logits=True)
        return ops.sum(losses * weights) / ops.sum(weights)

    step = training_step(model, optimizer, loss_of)

    def run(count: int) -> None:
        for _ in range(count):
            float(step(inputs, y, weights))

    return run


def stack(case: dict) -> Run:
    shape = (case["batch"], case["steps"], case["hidden"])
    x = keras.Input(batch_shape=shape)
    output = x
    for layer in recurrent_layers(case):
        output = layer(output)
    step = gradient_step(keras.Model(x, output), lambda output: ops.sum(ops.cast(output, "float32")))
    data = ops.convert_to_tensor(np.random.default_rng(0).standard_normal(shape).astype("float32"))

    def run(count: int) -> None:
        for _ in range(count):
            float(step(data)[0])

    return run


def generation(case: dict) -> Run:
    """One character at a time, each the likeliest."""
    V, H = case["vocabulary"], case["hidden"]
    token = keras.Input(batch_shape=(1, 1), dtype="int32")
    hidden, before, after = ops.one_hot(token, V), [], []
    for layer in recurrent_layers(case, return_state=True, unroll=True):
        state = [keras.Input(batch_shape=(1, H)) for _ in range(2 if case["cell"] == "lstm" else 1)]
        hidden, *new = layer(hidden, initial_state=state)
        before += state
        after += new
    likeliest = ops.argmax(layers.Dense(V)(hidden), axis=-1)
    step = inference_step(keras.Model([token, *before], [likeliest, *after]))

    def run(count: int) -> None:
        character, state = 1, [np.zeros((1, H), "float32")] * len(before)
        for _ in range(count):
            likeliest, *state = step([np.array([[character]], "int32"), *state])
            character = int(likeliest[0, 0])

    return run


if BACKEND == "tensorflow":

    def compiled(function):
        return tf.function(function, jit_compile=MODE == "xla", autograph=False)

    def training_step(model: keras.Model, optimizer, loss_of):
        variables = model.trainable_variables

        def step(inputs, *targets):
            with tf.GradientTape() as tape:
                loss = loss_of(model(inputs, training=True), *targets)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            return loss

        return compiled(step)

    def gradient_step(model: keras.Model, loss_of):
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = loss_of(model(x, training=True))
            return loss, tape.gradient(loss, [x, *model.trainable_variables])

        return compiled(step)

    def inference_step(model: keras.Model):
        return compiled(lambda inputs: model(inputs))

else:

    def training_step(model: keras.Model, optimizer, loss_of):
        rest = [variable.value for variable in model.non_trainable_variables]

        def loss_at(weights, inputs, *targets):
            logits, _ = model.stateless_call(weights, rest, inputs, training=True)
            return loss_of(logits, *targets)

        @jax.jit
        def update(weights, state, *arguments):
            loss, gradients = jax.value_and_grad(loss_at)(weights, *arguments)
            return loss, *optimizer.stateless_apply(state, gradients, weights)

        weights = [variable.value for variable in model.trainable_variables]
        state = [variable.value for variable in optimizer.variables]

        def step(*arguments):
            nonlocal weights, state
            loss, weights, state = update(weights, state, *arguments)
            return loss

        return step

    def gradient_step(model: keras.Model, loss_of):
        rest = [variable.value for variable in model.non_trainable_variables]

        def loss_at(weights, x):
            return loss_of(model.stateless_call(weights, rest, x, training=True)[0])

        step = jax.jit(jax.value_and_grad(loss_at, argnums=(0, 1)))
        weights = [variable.value for variable in model.trainable_variables]
        return lambda x: step(weights, x)

    def inference_step(model: keras.Model):
        rest = [variable.value for variable in model.non_trainable_variables]
        step = jax.jit(lambda weights, inputs: model.stateless_call(weights, rest, inputs)[0])
        weights = [variable.value for variable in model.trainable_variables]
        return lambda inputs: step(weights, inputs)


def open_workload(case: dict) -> Run:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    # Products in bfloat16, variables and updates in float32.
    keras.config.set_dtype_policy("mixed_bfloat16" if case["precision"] == "bfloat16" else "float32")
    return {"train": training, "stack": stack, "generate": generation}[case["task"]](case)


serve(VERSION, open_workload)
