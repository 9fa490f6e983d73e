#!/usr/bin/env python3
"""Train the small event Swin on N-MNIST recordings and on recordings of a simulated camera.

  train_events.py --recordings nmnist/Train --images train-images.gz --labels train-labels.gz --out events.pt

The simulated camera looks at MNIST's training digits (mst/events.py), those of the bundled
set left out, of which make_event_digits.py makes the test set in data/. The epoch to keep is
chosen on real training recordings that are held out; no test recording is read.
"""
import argparse

import numpy as np
import torch

from mst import calibrate, digits, events, simulate, training, zoo

# 34x34 frames to 16x16 tokens, then 8x8.
EVENTS = {"image": events.SENSOR, "stem": [(16, 2, 0), (32, 1, 1)], "embed": 32, "heads": [2, 4], "window": 4,
          "final_if": False}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--recordings", required=True, help="folder Train of N-MNIST, digits as class folders")
    p.add_argument("--images", required=True, help="MNIST's training images, IDX (.gz too)")
    p.add_argument("--labels", required=True, help="MNIST's training labels, IDX (.gz too)")
    p.add_argument("--out", required=True, help="checkpoint to write")
    p.add_argument("--init", help="checkpoint to go on from")
    p.add_argument("--frames", type=int, default=3, help="frames that a recording is cut into (default 3)")
    p.add_argument("--split", choices=("number", "time"), default="time", help="how it is cut (default time)")
    p.add_argument("--present", choices=("channels", "steps"), default="channels",
                   help="frames together as channels (default), or one after another: the ANN then sees their mean")
    p.add_argument("--generate", type=int, default=20000, help="recordings of the simulated camera (default 20000)")
    p.add_argument("--repeat", type=int, default=5, help="times that an epoch has each real one (default 5)")
    p.add_argument("--validation", type=int, default=200, help="real recordings held out to choose the epoch")
    training.add_options(p)
    return p.parse_args()


def as_input(recording, args):
    """What the ANN sees of a recording, [C, S, S] event counts."""
    counts = events.frames(recording, args.frames, args.split)
    if args.present == "steps":
        counts = counts.reshape(args.frames, 2, events.SENSOR, events.SENSOR).mean(0)
    return torch.from_numpy(counts).half()  # counts below 2048 are exact


def real_recordings(args, images):
    """(x, y); N-MNIST's file nnnnn is of MNIST's image nnnnn - 1, none of which is in the generated test set."""
    found = events.recordings(args.recordings)
    used = set(digits.digests(images[[int(path.stem) - 1 for path, _ in found]]))
    assert not used & set(digits.digests(events.test_digits()[0])), "a test digit is in the training set"
    x = torch.stack([as_input(events.read_bin(path), args) for path, _ in found])
    return x, torch.tensor([label for _, label in found])


def simulated_recordings(args, bundled, images, labels):
    rng = np.random.default_rng(args.seed)
    free = np.array([i for i, d in enumerate(digits.digests(images)) if d not in bundled])
    chosen = rng.permutation(free)[:args.generate]
    x = []
    for i in range(0, len(chosen), 100):
        x += [as_input(r, args) for r in events.record(images[chosen[i:i + 100]], rng)]
        if i % 5000 == 0:
            print("simulated camera: %d of %d recordings" % (i, len(chosen)), flush=True)
    return torch.stack(x), torch.from_numpy(labels[chosen].astype(np.int64))


def new_model(args, x):
    """(model with thetas set on 256 of x, its options)"""
    options = dict(EVENTS, channels=2 if args.present == "steps" else 2 * args.frames, levels=args.levels,
                   mlp_ratio=args.mlp_ratio, depths=args.depths)
    model = zoo.build("event-swin", **options)
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed))[:256]
    calibrate.set_thetas(model, x[some].float(), args.theta_share)
    return model, options


def main():
    args = parse()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    images, labels = digits.read_idx(args.images), digits.read_idx(args.labels)
    bundled = set(digits.digests(digits.read_idx(digits.TEST_IMAGES)))
    x, y = real_recordings(args, images)
    # the same whatever the seed: what was trained on once is never held out
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    held, rest = order[:args.validation], order[args.validation:]
    held = (x[held].float(), y[held])
    print("real recordings: %d to train on, %d held out" % (len(rest), len(held[0])), flush=True)
    more_x, more_y = simulated_recordings(args, bundled, images, labels)
    x = torch.cat([more_x] + [x[rest]] * args.repeat)
    y = torch.cat([more_y] + [y[rest]] * args.repeat)

    if args.init:
        model, checkpoint = zoo.load(args.init)
        options = checkpoint["options"]
    else:
        model, options = new_model(args, x)
    print("parameters: %d" % sum(p.numel() for p in model.parameters()), flush=True)
    accuracy = training.train(model, None, x, y, held,
                              lambda batch, g: digits.shift(batch.float(), g, args.shift, 0.0), args)
    snn = simulate.evaluate(model, *held, [16, 32, 64])
    for t in (16, 32, 64):
        print("held-out: ANN %.2f %%, SNN at T = %d %.2f %%, agreement %.2f %%, relative logit error %.3f" % (
            100 * snn["ann"], t, *(100 * v for v in snn[t][:2]), snn[t][2]))
    note = "%d frames by %s as %s, held-out accuracy %.4f, seed %d" % (
        args.frames, args.split, args.present, accuracy, args.seed)
    zoo.save(args.out, model, "event-swin", options, note)
    print("wrote", args.out)


if __name__ == "__main__":
    main()
