"""Training: the options and the loop that the training scripts share."""
import copy
import math
import time

import torch
from torch.nn import functional as F

from . import qcfs, simulate


def add_options(p):
    """Options of `train`, and of the models that are trained from scratch."""
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--images-per-epoch", type=int, help="draw only so many samples in each epoch")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--weight-decay", type=float, default=0.05)
    p.add_argument("--label-smoothing", type=float, default=0.1)
    p.add_argument("--clip", type=float, default=5.0, help="largest gradient norm")
    p.add_argument("--shift", type=int, default=2, help="augmentation: shift by up to so many pixels")
    p.add_argument("--levels", type=int, default=16, help="L of every activation")
    p.add_argument("--mlp-ratio", type=float, default=2)
    p.add_argument("--depths", type=int, nargs=2, default=[2, 1], help="blocks of the two stages (default 2 1)")
    p.add_argument("--theta-share", type=float, default=0.98,
                   help="each theta starts at this quantile of its positive inputs (default 0.98)")
    p.add_argument("--theta-lr", type=float, default=0.3, help="learning rate of the thetas, as a share of --lr")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)


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


def loss_of(logits, y, teacher_logits, args):
    loss = F.cross_entropy(logits, y, label_smoothing=args.label_smoothing if teacher_logits is None else 0.0)
    if teacher_logits is None:
        return loss
    soft = F.kl_div(F.log_softmax(logits / 2, 1), F.softmax(teacher_logits / 2, 1), reduction="batchmean") * 4
    return 0.5 * loss + 0.5 * soft


def train(model, teacher, x, y, held, augment, args):
    """Train in place; ends with the weights of the epoch that was best on the held-out images.

    augment(images [B, C, H, W], generator) gives what the network sees of a batch.
    """
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = optimizer_for(model, args)
    count = min(args.images_per_epoch or len(x), len(x))
    per_epoch = count // args.batch
    total, step, best = per_epoch * args.epochs, 0, (-1.0, None)
    for epoch in range(args.epochs):
        model.train()
        order, begin, losses = torch.randperm(len(x), generator=generator), time.time(), 0.0
        for i in range(per_epoch):
            rows = order[i * args.batch:(i + 1) * args.batch]
            images = augment(x[rows], generator)
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * learning_rate(step, total, args.lr)
            with torch.no_grad():
                teacher_logits = teacher(images) if teacher is not None else None
            loss = loss_of(model(images), y[rows], teacher_logits, args)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            optimizer.step()
            qcfs.keep_positive(model)
            losses, step = losses + float(loss.detach()), step + 1
            if (i + 1) % 50 == 0:
                print("epoch %d  %d/%d  loss %.4f  %.0f images/s" % (
                    epoch + 1, i + 1, per_epoch, losses / (i + 1), (i + 1) * args.batch / (time.time() - begin)), flush=True)
        accuracy = simulate.evaluate(model, *held)["ann"]
        print("epoch %d: loss %.4f, held-out accuracy %.2f %%, %.0f s" % (
            epoch + 1, losses / max(1, per_epoch), 100 * accuracy, time.time() - begin), flush=True)
        if accuracy >= best[0]:
            best = (accuracy, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[1])
    return best[0]
