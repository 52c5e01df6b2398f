"""Right solutions in another style than ours, which must get full marks: {exercise: the solution cells in order}."""
OTHER = {'1_convergence': ["""
def has_converged(f1, patience=5):
    best, waited = -1.0, 0
    for value in f1:
        best, waited = (value, 0) if value > best else (best, waited + 1)
    return waited >= patience
""", """
def choose_learning_rate(results):
    best = sorted(results, key=lambda row: (-row['validation_f1'], row['learning_rate']))[0]
    return best['learning_rate']
""", """
def train_network(method, learning_rate, seed, train_iter, val_iter, max_epochs=100, patience=5):
    utils.seed(seed)
    net, f1 = utils.new_net(2, batch_norm=method == 'from scratch'), []
    if method == 'fine-tuning':
        for new, old in zip(net.features.collect_params().values(), source_net.features.collect_params().values()):
            new.shape = old.shape
            new.initialize()
            new.set_data(old.data())
    else:
        net.features.initialize(init.Xavier(magnitude=2))
    net.output.initialize(init.Xavier())
    trainer = gluon.Trainer(net.collect_params(), 'adam', {'learning_rate': learning_rate})
    for _ in range(max_epochs):
        utils.train(train_iter, val_iter, net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer, [mx.cpu()], 1)
        f1.append(utils.evaluate(val_iter, net)['f1'])
        if has_converged(f1, patience):
            break
    return net, f1
"""], '2_layers': ["""
def copy_layers(net, source_net, k):
    normalise_from(net.features, k)
    net.initialize(init.Xavier())
    net(nd.ones((2, 3, 96, 96)))
    copied = 0
    for new, old in zip(net.features, source_net.features):
        if new.collect_params().keys() and copied < k:
            copied += 1
            for a, b in zip(new.collect_params().values(), old.collect_params().values()):
                a.set_data(b.data().copy())
""", """
def reuse_curve(ks, train_iter, test_iter, num_epochs, learning_rate, seed):
    def margins(k):
        utils.seed(seed)
        net = utils.new_net(2)
        copy_layers(net, source_net, k)
        weights = nd.array([1, 3])  # of the two classes
        trainer = gluon.Trainer(net.collect_params(), 'adam', {'learning_rate': learning_rate})
        utils.train(train_iter, train_iter, net,
                    lambda scores, y: -nd.pick(nd.log_softmax(scores), y) * weights.take(y),
                    trainer, mx.cpu(), num_epochs)
        probabilities, _ = utils.predict(test_iter, net)
        return np.log(probabilities[:, 1] + 1e-9) - np.log(probabilities[:, 0] + 1e-9)
    return [margins(k) for k in ks]
"""], '3_hotdog_row': ["""
def hotdog_index(names):
    for index, name in enumerate(names):
        if name == 'hotdog':
            return index
""", """
def hotdog_row(source_net):
    layer, index = source_net.output[0], hotdog_index(names)
    return layer.weight.data()[index].asnumpy().flatten(), layer.bias.data()[index].asscalar()
""", """
def hotdog_net(source_net):
    net = utils.new_net(2)
    for new, old in zip(net.features.collect_params().values(), source_net.features.collect_params().values()):
        new.shape = old.shape
        new.initialize()
        new.set_data(old.data())
    net.output.initialize(init.Zero())
    net(nd.zeros((1, 3, 224, 224)))
    row, _ = hotdog_row(source_net)
    net.output[0].weight.set_data(nd.array(np.stack([np.zeros(512), row]).reshape(2, 512, 1, 1)))
    scores, labels = [], []
    for x, y in utils.RecordIter(data.train):
        scores += (net(x.as_in_context(mx.cpu()))[:, 1]).asnumpy().tolist()
        labels += y.asnumpy().tolist()
    # class 0 is the threshold that does best on the training set
    scores, labels = np.array(scores), np.array(labels, int)
    best = max(scores, key=lambda limit: utils.scores(labels, (scores >= limit).astype(int))['f1'])
    net.output[0].bias.set_data(nd.array([best, 0]))
    return net
"""], '4_freezing': ["""
def freeze(net, unfrozen=0):
    net.collect_params().setattr('grad_req', 'write')
    layers = [layer for layer in net.features if layer.collect_params().keys()]
    for layer in layers[:len(layers) - unfrozen]:
        for parameter in layer.collect_params().values():
            parameter.grad_req = 'null'
""", """
def snapshot(net):
    return [(name, parameter.data().copy()) for name, parameter in net.collect_params().items()]


def moved(before, net):
    now = net.collect_params()
    return {name for name, value in before if nd.abs(value - now[name].data()).max().asscalar() > 0}
""", """
def gradient_bytes(net):
    total = 0
    for parameter in net.collect_params().values():
        if parameter.grad_req != 'null':
            total += parameter.grad().asnumpy().nbytes
    return total
"""], '5_weighted_loss': ["""
def weighted_loss(outputs, labels, w):
    probability = nd.softmax(outputs)
    positive = labels == 1
    return -nd.where(positive, nd.log(probability[:, 1]), nd.log(probability[:, 0]) / w)
""", """
def cost(labels, predicted, miss_cost=3):
    from sklearn.metrics import confusion_matrix
    (_, false_alarms), (misses, _) = confusion_matrix(labels, predicted, labels=[0, 1])
    return false_alarms + miss_cost * misses


def choose_weight(predictions, labels, miss_cost=3):
    costs = {w: cost(labels, predicted, miss_cost) for w, predicted in predictions.items()}
    return [w for w in costs if costs[w] == min(costs.values())][0]
""", """
def choose_threshold(probabilities, labels, miss_cost=3):
    best, best_cost = 0, np.inf
    for threshold in np.linspace(0, 1, 1001):
        found = cost(labels, np.where(probabilities >= threshold, 1, 0), miss_cost)
        if found < best_cost:
            best, best_cost = threshold, found
    return best
"""], '6_few_pictures': ["""
def nested_subsets(labels, sizes, seed):
    import random
    random.seed(seed)
    chosen, found = {0: [], 1: []}, {}
    for size in sorted(sizes):
        for label in chosen:
            left = [i for i in range(len(labels)) if labels[i] == label and i not in chosen[label]]
            chosen[label] += random.sample(left, size - len(chosen[label]))  # ValueError when there are too few
        found[size] = np.array(sorted(chosen[0] + chosen[1]))
    return found
""", """
def take_updates(data_iter, updates):
    import itertools
    return itertools.islice(itertools.chain.from_iterable(itertools.repeat(data_iter)), updates)
""", """
def pictures_needed(sizes, accuracies, target):
    for size, accuracy in sorted(zip(sizes, accuracies)):
        if accuracy >= target:
            return size


def mean_and_error(runs):
    runs = np.array(runs)
    mean = runs.sum(axis=0) / len(runs)
    return mean, (((runs - mean) ** 2).sum(axis=0) / (len(runs) - 1)) ** 0.5
"""], '7_cached_features': ["""
def cache_features(net, data_iter):
    parts = [(net.features(x.as_in_context(mx.cpu())).asnumpy(), y.asnumpy().astype('float32')) for x, y in data_iter]
    return [nd.array(np.concatenate(part)) for part in zip(*parts)]
""", """
def train_head(features, labels, num_epochs, learning_rate, seed):
    mx.random.seed(seed)
    np.random.seed(seed)
    head = nn.HybridSequential()
    head.add(nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(2))
    head.initialize(init.Xavier())
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(features, labels), batch_size=16, shuffle=True)
    trainer = gluon.Trainer(head.collect_params(), 'adam', {'learning_rate': learning_rate})
    for _ in range(num_epochs):
        for x, y in batches:
            with autograd.record():
                loss = gluon.loss.SoftmaxCrossEntropyLoss()(head(x), y)
            loss.backward()
            trainer.step(len(y))
    return head
"""], '8_own_pictures': ["""
def confusion(labels, predicted, num_classes):
    return np.array([[np.sum((labels == i) & (predicted == j)) for j in range(num_classes)]
                     for i in range(num_classes)])
""", """
def worst(probabilities, labels, count=8):
    wrong = [i for i in range(len(labels)) if np.argmax(probabilities[i]) != labels[i]]
    return sorted(wrong, key=lambda i: max(probabilities[i]), reverse=True)[:count]
""", """
def accuracy_when_covered(predict, pictures, labels, box):
    top, left, height, width = box
    mask = np.zeros(pictures.shape[1:3] + (1,), bool)
    mask[top:top + height, left:left + width] = True
    covered = np.where(mask, np.uint8(0), pictures)
    return np.mean([row.argmax() == label for row, label in zip(predict(covered), labels)])
"""], '9_average_weights': ["""
def blend(net, start, end, alpha):
    for name in zip(*(n.collect_params() for n in (net, start, end))):
        mine, first, last = (n.collect_params()[key] for n, key in zip((net, start, end), name))
        mine.set_data(first.data() + alpha * (last.data() - first.data()))
""", """
def kept(before, after):
    return np.mean([one.argmax() == other.argmax() for one, other in zip(before, after)])
""", """
def choose_alpha(alphas, aurocs, tolerance=0.005):
    good = [alpha for alpha, auroc in zip(alphas, aurocs) if max(aurocs) - auroc <= tolerance + 1e-12]
    return sorted(good)[0]
"""]}
