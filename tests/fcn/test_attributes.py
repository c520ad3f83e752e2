import numpy as np
import torch

from fcn import DataFolder
from fcn.attributes import AttributeLayer
from fcn.image_training import describe_items


def test_fields_are_probabilities_and_the_output_is_centred():
    torch.manual_seed(0)
    layer = AttributeLayer(4, (2, 3))
    layer.weight.copy_(torch.randn(5, 4))
    features = torch.randn(7, 2, 4)
    found = layer.probabilities(features)
    torch.testing.assert_close(found[..., :2].sum(-1), torch.ones(7, 2))
    torch.testing.assert_close(found[..., 2:].sum(-1), torch.ones(7, 2))
    layer.centre.copy_(found.reshape(-1, 5).mean(0))
    torch.testing.assert_close(layer(features).reshape(-1, 5).mean(0), torch.zeros(5), atol=1e-6, rtol=0)


def test_a_catalogue_without_fields_gives_no_columns():
    assert AttributeLayer(4, ())(torch.randn(3, 2, 4)).shape == (3, 2, 0)


def test_reads_attributes_of_items_it_was_not_fitted_on(scorer, small_sample):
    folder = DataFolder.open(small_sample)
    worn = {i for o in folder.outfit_list("train") for i in o.item_ids}
    rows = folder.catalog.rows(sorted(worn))
    values, _ = describe_items(folder.catalog, rows)
    new = np.setdiff1d(np.arange(len(folder.catalog)), rows)
    layer = scorer.model.attributes
    assert layer.sizes == tuple(len(names) for names in values.values())
    found = layer.probabilities(torch.from_numpy(np.array(scorer.features[new]))).split(layer.sizes, -1)
    for field, probabilities in zip(values, found, strict=True):
        if field in ("category", "color", "pattern"):
            said = [values[field][i] for i in probabilities.argmax(-1)]
            true = [getattr(folder.catalog[r], field, None) or folder.catalog[r].attributes[field] for r in new]
            # chance is a tenth at most; the sample is too small for all its colours
            assert np.mean([s == t for s, t in zip(said, true, strict=True)]) > 0.7
