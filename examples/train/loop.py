"""The training loop: schedule, mixed precision, shared gradients, checkpoints that resume."""
import contextlib
import copy
import math
import os
import time

import torch
from torch.nn import functional as F

from data import first_line, refuse
from mst.torch import calibrate, qcfs, timesteps


def optimizer_for(model, args):
    """AdamW; weight decay on the matrices only, not on theta, norms, biases, position bias.

    Thetas learn more slowly, so that they stay near where the quantile put them.
    """
    thetas = [a.theta for _, a in qcfs.activations(model)]
    decayed = [p for n, p in model.named_parameters() if n.endswith(".weight") and p.dim() > 1]
    chosen = {id(p) for p in decayed + thetas}
    plain = [p for p in model.parameters() if id(p) not in chosen]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay, "share": 1.0},
                              {"params": plain, "weight_decay": 0.0, "share": 1.0},
                              {"params": thetas, "weight_decay": 0.0, "share": args.theta_lr}], lr=args.lr)


def learning_rate(step, total, top):
    """5 % warm-up, then a cosine to nothing."""
    warm = max(1, total // 20)
    if step < warm:
        return top * (step + 1) / warm
    return top * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def precision(args):
    """(a context for forward passes, whether gradients need scaling)"""
    if args.device == "cpu":
        fast = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)()
        if args.precision == "bfloat16" or (args.precision == "auto" and fast):
            return lambda: torch.autocast("cpu", torch.bfloat16), False
        return contextlib.nullcontext, False
    if args.precision == "float32":
        return contextlib.nullcontext, False
    half = args.precision == "auto"
    return lambda: torch.autocast("cuda", torch.float16 if half else torch.bfloat16), half


def loss_of(logits, y, taught, args):
    """Cross entropy; with a teacher's logits, half of it and half the divergence at temperature 2."""
    if taught is None:
        return F.cross_entropy(logits, y, label_smoothing=args.label_smoothing)
    soft = F.kl_div(F.log_softmax(logits / 2, 1), F.softmax(taught / 2, 1), reduction="batchmean") * 4
    return 0.5 * F.cross_entropy(logits, y) + 0.5 * soft


def share(values, workers):
    """Replace tensors by their mean over the workers."""
    flat = torch.cat([v.reshape(-1) for v in values])
    torch.distributed.all_reduce(flat)
    flat /= workers
    for value, part in zip(values, flat.split([v.numel() for v in values])):
        value.copy_(part.reshape(value.shape))


@torch.no_grad()
def follow(average, model, decay, step):
    """Move the mean of a model's weights and statistics towards those that it has after `step` steps, 1 and more.

    The first steps count for more, so that what the model began with is soon forgotten.
    """
    share = 1 - min(decay, step / (step + 9))
    for mean, value in zip(average.state_dict().values(), model.state_dict().values()):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


@torch.no_grad()
def accuracy(model, data, x, y, device, batch=250):
    """Share of images that the network gets right, in float32 (its masks drawn from the global generator)."""
    model.eval()
    right = 0
    for i in range(0, len(x), batch):
        logits = model(data.normalize(x[i:i + batch].to(device)))
        right += int((logits.argmax(1).cpu() == y[i:i + batch]).sum())
    return right / len(x)


def save_state(path, state):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def train(model, teacher, data, args, rank=0):
    """Train in place; ends with the weights of the epoch that was best on the held-out images."""
    forward, scaled = precision(args)
    if args.device == "cpu" or args.device.startswith("cuda"):
        model.to(memory_format=torch.channels_last)
    scaler = (torch.amp.GradScaler("cuda", enabled=scaled) if hasattr(torch.amp, "GradScaler") else
              torch.cuda.amp.GradScaler(enabled=scaled))
    optimizer, (x, y) = optimizer_for(model, args), data.train
    per_epoch = min(args.images_per_epoch or len(x), len(x)) // args.batch
    if per_epoch == 0 or args.batch % args.workers:
        refuse("a batch of %d does not fit %d images and %d workers" % (args.batch, len(x), args.workers))
    kept = copy.deepcopy(model) if args.average else model  # what is measured and kept
    done, best, spent, path = 0, {"accuracy": -1.0, "epoch": 0}, 0.0, args.out + ".state"
    if os.path.exists(path) and not args.restart:
        try:
            state = torch.load(path, map_location=args.device)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            scaler.load_state_dict(state["scaler"])
            kept.load_state_dict(state["kept"])
            done, best, spent = state["epoch"], state["best"], state["seconds"]
        except Exception as error:  # whatever a damaged file makes of loading it
            refuse("%s: not of this run, or damaged (%s); --restart begins anew" % (path, first_line(error)))
        print("going on after epoch %d of %d" % (done, args.epochs), flush=True)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for epoch in range(done, args.epochs):
        # Every epoch has its own generators, so a resumed run draws what an unbroken one would.
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed * 1000 + epoch))
        generator = torch.Generator().manual_seed((args.seed * 1000 + epoch) * 64 + rank)
        torch.manual_seed((args.seed * 1000 + epoch) * 64 + rank)
        model.train()
        begin, total = time.time(), 0.0
        for i in range(per_epoch):
            if args.steps and i % max(1, per_epoch // 4) == 0:
                with forward():
                    timesteps.measure(model, data.normalize(x[:128].to(args.device)), anew=i == 0)
            rows = order[i * args.batch:(i + 1) * args.batch][rank::args.workers]
            images = data.augment(x[rows].to(args.device), generator, erase=args.erase, strong=args.strong)
            images = data.normalize(images)
            images = images.contiguous(memory_format=torch.channels_last)
            labels = y[rows].to(args.device)
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * learning_rate(epoch * per_epoch + i, args.epochs * per_epoch, args.lr)
            with forward():
                with torch.no_grad():
                    taught = teacher(images).float() if teacher is not None else None
                logits = model(images)
            loss = loss_of(logits.float(), labels, taught, args)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            if args.workers > 1:
                share([p.grad for p in parameters], args.workers)
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(parameters, args.clip)
            scaler.step(optimizer)
            scaler.update()
            qcfs.keep_positive(model)
            if args.average:
                follow(kept, model, args.average, epoch * per_epoch + i + 1)
            total += float(loss.detach())
            if (i + 1) % 50 == 0:
                print("epoch %d  %d/%d  loss %.4f  %.0f images/s" % (
                    epoch + 1, i + 1, per_epoch, total / (i + 1), (i + 1) * args.batch / (time.time() - begin)),
                    flush=True)
        if args.workers > 1:
            for shared in [model] + [kept] * (kept is not model):
                share([b for b in shared.buffers() if b.is_floating_point()], args.workers)
        spent += time.time() - begin
        if rank:
            continue
        held = accuracy(kept, data, *data.held, args.device)
        print("epoch %d of %d: loss %.4f, held-out accuracy %.2f %%, %.0f s" % (
            epoch + 1, args.epochs, total / per_epoch, 100 * held, time.time() - begin), flush=True)
        if held >= best["accuracy"]:
            best = {"accuracy": held, "epoch": epoch + 1, "model": copy.deepcopy(kept.state_dict())}
        save_state(path, {"model": model.state_dict(), "kept": kept.state_dict(), "best": best,
                          "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict(), "epoch": epoch + 1,
                          "seconds": spent})
    if rank == 0:
        model.load_state_dict(best["model"])
        few = [data.normalize(x[i:i + 250].to(args.device)) for i in range(0, min(5000, len(x)), 250)]
        before = accuracy(model, data, *data.held, args.device)
        state = copy.deepcopy(model.state_dict())
        calibrate.estimate_batchnorm(model, few)  # in float32, as the network will run
        after = accuracy(model, data, *data.held, args.device)
        print("held-out accuracy %.2f %%, with BatchNorm statistics anew %.2f %%" % (100 * before, 100 * after),
              flush=True)
        if after < before:
            model.load_state_dict(state)
        best["accuracy"] = max(before, after)
    return {"accuracy": best["accuracy"], "epoch": best["epoch"], "seconds": spent}
