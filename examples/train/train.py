#!/usr/bin/env python3
"""Train a network for conversion to spikes, or fine-tune a trained one under Random Spike Masking.

  train.py train --data cifar-10-batches-bin --model swin --epochs 24 --out swin.pt
  train.py finetune --data ... --teacher swin.pt --policy ../policies/sa75.yaml --epochs 4 --lr 1e-3 --out sa75.pt
--dataset digits and nmnist train the small Swins for handwritten digits, as pictures and as event recordings, moving one for
recordings of CIFAR-10's pictures (make_test_sets.py moving).
The epoch to keep is chosen on images held out of the training set. OUT.state is written
after each epoch; the same command again goes on from there (--restart: from the beginning).
--workers N shares each batch among N processes of --threads threads.
"""
import argparse
import copy
import functools
import logging
import os
import pathlib
import signal
import sys
import tempfile
import time

import torch

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES.parent / "python")]
import fused  # noqa: E402
import loop  # noqa: E402
import masks  # noqa: E402
from data import HELD, RECORDED, DataSet, add_options, check_folder, first_line, refuse  # noqa: E402
from mst.torch import calibrate, from_onnx, layers, qcfs, thinning, timesteps, zoo  # noqa: E402
from recipes import RECIPES  # noqa: E402


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("task", choices=("train", "finetune"))
    p.add_argument("--data", required=True, help="folder of CIFAR-10's binary files, MNIST's IDX files, or N-MNIST's Train")
    add_options(p)
    p.add_argument("--out", required=True, help="checkpoint to write")
    p.add_argument("--model", help="a name of recipes.py: what to train (default swin), or what an .onnx file holds")
    p.add_argument("--teacher", help="finetune: checkpoint to learn from and to start from, or an .onnx file of export.py")
    p.add_argument("--teacher-model", help="what an .onnx file of --teacher holds, where it is another network than --model")
    p.add_argument("--init", help="finetune: checkpoint or .onnx file to start from instead")
    p.add_argument("--init-policy", help="what --init was trained with: make up for what the masks of --policy pass on "
                                         "less (CNNs, one ratio)")
    p.add_argument("--policy", help="masking policy (YAML): spikes are masked as in the converted network")
    p.add_argument("--steps", type=int, default=0,
                   help="train as a run of so many time steps: masks drop spikes one by one, neurons meet the scatter "
                        "of what is left (default: an activation is kept or dropped)")
    p.add_argument("--thinning", action="store_true",
                   help="train for count and radix: a mask keeps each of the n spikes that a level of an activation stands "
                        "for by itself (binomial)")
    p.add_argument("--epochs", type=int, default=24)
    p.add_argument("--images-per-epoch", type=int, help="so many images in an epoch, others in the next")
    p.add_argument("--batch", type=int, default=96)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--weight-decay", type=float, default=0.05)
    p.add_argument("--label-smoothing", type=float, default=0.1)
    p.add_argument("--strong", action="store_true", help="augmentation: TrivialAugment too (for 100 epochs and more)")
    p.add_argument("--erase", type=int, default=0, help="augmentation: side of a random square to paint over")
    p.add_argument("--average", type=float, default=0.0, metavar="DECAY",
                   help="measure and keep the weights' mean over about 1 / (1 - DECAY) steps (default: as they are)")
    p.add_argument("--clip", type=float, default=5.0, help="largest gradient norm")
    p.add_argument("--held", type=int, help="images held out to choose the epoch (default 5000, of recordings 200)")
    p.add_argument("--levels", type=int, help="L of every activation (default 16; finetune: as it is)")
    p.add_argument("--theta-lr", type=float, default=0.3, help="learning rate of the thetas, as a share of --lr")
    p.add_argument("--limit", type=int, help="train on so many images only (to try things)")
    p.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto",
                   help="auto: bfloat16 where this processor has it, float16 on CUDA")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--workers", type=int, default=1, help="processes that share a batch (CPU)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--restart", action="store_true")
    args = p.parse_args()
    args.held = HELD[args.dataset] if args.held is None else args.held
    if args.dataset in RECORDED and (args.strong or args.frames < 1):
        p.error("--frames is 1 or more, and --strong is for pictures")
    if args.simulate and (args.dataset != "nmnist" or not args.digits):
        p.error("--simulate is for --dataset nmnist, and needs --digits")
    if args.task == "finetune" and not args.teacher:
        p.error("finetune needs --teacher")
    if not 0 <= args.average < 1 or (args.average and args.steps):
        p.error("--average is a decay of 0 or more, below 1, and excludes --steps")
    if args.steps < 0 or (args.steps and not args.policy):
        p.error("--steps is a number of time steps, and needs --policy")
    if args.thinning and (args.steps or not args.policy):
        p.error("--thinning needs --policy, and excludes --steps")
    if args.init_policy and not (args.init and args.thinning):
        p.error("--init-policy needs --init and --thinning")
    if args.teacher_model and not args.init:
        p.error("--teacher-model needs --init: what learns from another network starts from its own")
    if args.task == "train" and (args.teacher or args.init):
        p.error("--teacher and --init belong to finetune")
    return args


def load_checkpoint(path):
    try:
        return zoo.load(path)
    except Exception as error:
        refuse("%s: not a checkpoint of this program (%s)" % (path, first_line(error)))


def known(args, name):
    recipes = RECIPES[args.dataset]
    if name not in recipes:
        refuse("no model %s for %s; there are: %s" % (name, args.dataset, " ".join(sorted(recipes))))
    return recipes[name]


def read_model(path, args, held, few, prepare=lambda model: None):
    """(model, name, options) of a checkpoint, or of an ONNX file that holds the recipe `held`; prepare(model) sets its masks"""
    if not path.endswith(".onnx"):
        model, checkpoint = load_checkpoint(path)
        prepare(model)
        return model, checkpoint["name"], checkpoint["options"]
    if not held:
        refuse("%s: --model must say what it holds" % path)
    name, options = known(args, held)
    try:
        model, options = from_onnx.load(path, name, options, few.split(256), prepare)
        return model, name, options
    except Exception as error:
        refuse("%s: not a file of export.py (%s)" % (path, first_line(error)))


def read_policy(path):
    """The text of a policy file, "" of none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        refuse("%s: %s" % (path, getattr(error, "strerror", None) or error))


def mask(model, policy, whose):
    """Mask a model by the text of a policy; the number of masked sites. whose: the file to name where that fails."""
    try:
        return masks.apply(masks.parse(policy), model)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        refuse("%s: %s" % (whose, error))


def one_ratio(model, policy):
    """The ratio of all masks of a convolutional model, which that policy gave it."""
    found = {(kind, module.ratio) for module, _, kind, _, _ in masks.sites(model)}
    if len(found) != 1 or next(iter(found))[0] != "conv":
        refuse("%s: --init-policy is for one ratio at all convolutions" % policy)
    return found.pop()[1]


def start(args, data):
    """(model, teacher or None, name and options for the checkpoint)"""
    teacher, few = None, data.normalize(data.train[0][:2048])

    def prepare(model, policy=args.policy):
        if policy:
            print("%d of %d sites masked" % (mask(model, read_policy(policy), policy), len(masks.sites(model))), flush=True)
        if args.thinning:
            thinning.as_counts(model, few[:2])

    if args.task == "finetune":
        teacher, name, options = read_model(args.teacher, args, args.teacher_model or args.model, few)
        before = functools.partial(prepare, policy=args.init_policy or args.policy)
        if args.init:
            model, name, options = read_model(args.init, args, args.model, few, before)
        else:
            model = copy.deepcopy(teacher)
        if args.init_policy:
            kept = 1 - one_ratio(model, args.init_policy)
            prepare(model)
            thinning.make_up(model, (1 - one_ratio(model, args.policy)) / kept)
        layers.fold_batchnorm(teacher)
        for _, activation in qcfs.activations(teacher):
            activation.train()  # the same values, in one pass over memory where it is fused
    else:
        name, options = known(args, args.model or "swin")
        options = dict({"levels": args.levels or 16}, **options, **data.options())
        model = zoo.build(name, **options)
    if args.levels:
        options = dict(options, levels=args.levels)
        for _, activation in qcfs.activations(model):
            activation.levels = args.levels
    if not args.init:
        prepare(model)
    if args.steps:
        timesteps.as_run(model, few[:2], args.steps)
        timesteps.measure(model, few[:128])
    if teacher is None:
        calibrate.set_thetas(model, few[:256])
    else:
        calibrate.estimate_batchnorm(model, few.split(256))
    return model.to(args.device), teacher and teacher.to(args.device), name, options


def work(rank, args, meeting):
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    if args.workers > 1:
        torch.distributed.init_process_group("gloo", init_method="file://" + meeting, rank=rank,
                                             world_size=args.workers)
    if rank:
        sys.stdout = open(os.devnull, "w")
    dropped = "levels" if args.thinning else "steps" if args.steps else "activations"
    policy = masks.told(read_policy(args.policy), dropped)  # of the beginning, whatever becomes of the file meanwhile
    if args.device == "cpu" and not fused.install():
        print("no C compiler: training with PyTorch's own operations, slower", flush=True)
    data = DataSet(args.dataset, args.data, args.held, args)
    if args.limit:
        data.train = tuple(part[:args.limit] for part in data.train)
    model, teacher, name, options = start(args, data)
    print("%s, %d parameters, %d training images, %d held out" % (
        name, sum(p.numel() for p in model.parameters()), len(data.train[0]), len(data.held[0])), flush=True)
    begin = time.time()
    result = loop.train(model, teacher, data, args, rank)
    if rank == 0:
        note = "%s %s, held-out accuracy %.4f (epoch %d of %d), policy %s, seed %d, %.0f s" % (
            args.task, name, result["accuracy"], result["epoch"], args.epochs,
            (pathlib.Path(args.policy).name if args.policy else "none") + ", thinned levels" * args.thinning, args.seed,
            result["seconds"])
        zoo.save(args.out, model, name, options, note, policy)
        print("%s\nwrote %s (this call: %.0f s)" % (note, args.out, time.time() - begin), flush=True)


def worker(rank, args, meeting):
    """work, with what it refuses written for the process that waits."""
    try:
        work(rank, args, meeting)
    except SystemExit as error:
        pathlib.Path("%s.refused%d" % (meeting, rank)).write_text(str(error.code))
        sys.stderr = open(os.devnull, "w")
        raise


def main():
    args = parse()
    check_folder(args.out)
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        refuse("--device %s: no CUDA device here" % args.device)
    if args.workers == 1:
        return work(0, args, None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end the workers, too, not this process alone
    with tempfile.TemporaryDirectory() as folder:
        logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
        try:
            torch.multiprocessing.spawn(worker, (args, os.path.join(folder, "meeting")), args.workers, daemon=True)
        except torch.multiprocessing.ProcessExitedException:
            for refused in sorted(pathlib.Path(folder).glob("meeting.refused*")):
                sys.exit(refused.read_text())
            raise
    return None


if __name__ == "__main__":
    main()
