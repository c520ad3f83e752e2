"""The demo's page: the same outfits on three people, what spoils one, what each is shown next, and the figures."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from fcn import DataFolder, OutfitScorer
from fcn import report as web
from fcn.report import bars, esc, line_chart, picture, reliability_chart, ring
from fcn.scorer import OutfitResult
from reports.measure import floors, share, table_rows
from reports.sample import open_oracle
from reports.scenes import Fitting, Person, Spoilt, choose_people, fit_outfits, recommend, reliability, spoil
from reports.words import avatar, details, heading, said
from seqllm.recommender import Recommender

LETTERS = "ABCDEFGH"


def write_page(path: Path, folder: DataFolder, fcn: Path, seqllm: Path, metrics: dict) -> None:
    """Write report.html. metrics: as in metrics.json."""
    scorer = OutfitScorer.from_pretrained(fcn).use(folder)
    recommender = Recommender.from_pretrained(seqllm)
    people = choose_people(folder)
    fitting = fit_outfits(folder, scorer, people)
    body = "".join(
        [
            _hero(metrics),
            "<main id=main>",
            _same_outfits(folder, people, fitting),
            _spoils(folder, spoil(folder, scorer, people, metrics["seed"])),
            _next(folder, recommender, people),
            _figures(folder, scorer, fitting, fcn, seqllm, metrics),
            _your_data(),
            "</main>",
            _footer(folder, metrics),
        ]
    )
    web.write_page(path, "dresswell: does it suit her, and what next?", body)


def _hero(metrics: dict) -> str:
    fcn, llm = metrics["fcn"], metrics["seqllm"]
    against = share(llm["ndcg@10"], max(llm["itemknn"]["ndcg@10"], llm["popularity"]["ndcg@10"]))
    facts = [
        (f"{share(fcn['map'], fcn['oracle']['map']):.0%}",
         "of what can be known about whom an outfit suits (label mAP)"),
        (f"{share(fcn['coherence_auc'], fcn['oracle']['coherence_auc']):.0%}",
         "of what can be known about whether it hangs together (AUC)"),
        (f"{against:.1f}×", "the better of ItemKNN and popularity at the next choice (NDCG@10)"),
        (_minutes(metrics["seconds"]["total"]), f"for all of it, on {metrics['machine']['cores']} CPU cores"),
    ]  # fmt: skip
    shown = "".join(f"<div><dd>{esc(value)}</dd><dt>{esc(what)}</dt></div>" for value, what in facts)
    return (
        '<a class="skip" href="#main">Skip to the report</a><header class="top">'
        '<p class="eyebrow">dresswell · demo report</p>'
        "<h1>Does it suit <em>her</em>?<br>And what next?</h1>"
        '<p class="lead">Two models were trained from nothing a moment ago: one looks at an outfit and says whom it '
        "suits and whether it hangs together; the other reads a person’s history, her profile and her words, and "
        'ranks the catalogue for her.</p><p><span class="chip">Made data</span> <span class="small soft">Every '
        "garment, person and choice here was drawn by a script that follows written styling rules. The rules are "
        "known, so each result can be held against the best possible one. It says nothing about real customers."
        "</span></p>"
        f'<dl class="facts">{shown}</dl></header>'
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


# -- the same outfits on three people ----------------------------------------------------------------------------


def _who(person: Person) -> str:
    rest = details(person.profile)
    return (
        f'<div class="who">{avatar(person.profile)}<div><h3>{esc(heading(person.profile))}</h3>'
        f"<p>{esc(rest[:1].upper() + rest[1:])}</p></div></div>"
    )


def _tone(value: float, low: float, high: float) -> str:
    return "good" if value >= high else "bad" if value <= low else "mid"


def _pieces(folder: DataFolder, ids: tuple[str, ...]) -> str:
    return "".join(_image(folder, item_id) for item_id in ids)


def _image(folder: DataFolder, item_id: str) -> str:
    row = folder.catalog.row(item_id)
    return picture(folder.catalog.image_path(row), folder.catalog[row].title)


def _verdict(result: OutfitResult) -> tuple[str, str]:
    """Tone and words of a result; personal .5 is how the average outfit fits her."""
    tone = _tone(result.personal, 0.42, 0.58)
    words = {"good": "suits her well", "mid": "middling on her", "bad": "not for her"}
    return tone, words[tone]


def _same_outfits(folder: DataFolder, people: list[Person], fitting: Fitting) -> str:
    cells = ['<div class="corner"></div>']
    cells += [f'<div class="head">{_who(person)}</div>' for person in people]
    for k, (ids, results) in enumerate(zip(fitting.outfits, fitting.results, strict=True)):
        kinds = ", ".join(folder.catalog.get(item_id).category for item_id in ids)
        cells.append(
            f'<div class="outfit"><h3>Outfit {LETTERS[k]} <small>hangs together {results[0].coherence:.0%}</small></h3>'
            f'<div class="pieces">{_pieces(folder, ids)}</div><p>{esc(kinds)}</p></div>'
        )
        for person, result in zip(people, results, strict=True):
            tone, words = _verdict(result)
            name = f"Outfit {LETTERS[k]} on {heading(person.profile)}"
            cells.append(
                f'<div class="cell {tone}"><div class="top">{ring(result.score, name, tone)}'
                f'<div class="verdict">{words}'
                f"<small>personal fit {result.personal:.0%}</small></div></div>{_why(result)}</div>"
            )
    return (
        '<section id="fit"><p class="eyebrow">Whom it suits</p><h2>The same outfits, three people</h2>'
        '<p class="soft">Outfits and people of the test split; neither model has seen them together. The ring is the '
        "score: how well the outfit hangs together times how well it suits her, where 50% is how the average "
        "outfit suits her. Below it, what in her profile lifts (+) or lowers (−) it most. The outfits are picked from "
        "the better half: one that favours each person, the one they differ over most, and one that suits all.</p>"
        f'<div class="grid3">{"".join(cells)}</div></section>'
    )


def _why(result: OutfitResult) -> str:
    """The strongest two reasons for, and two against."""
    ordered = sorted(result.evidence, key=lambda e: -abs(e.effect))
    up = [e for e in ordered if e.effect > 0.1][:2]
    down = [e for e in ordered if e.effect < -0.1][:2]
    if result.personal < 0.5:
        up, down = up[:1], down
    else:
        up, down = up, down[:1]
    lines = [f'<li class="up">{esc(said(e.label))}</li>' for e in up]
    lines += [f'<li class="down">{esc(said(e.label))}</li>' for e in down]
    return f'<ul class="why">{"".join(lines)}</ul>'


# -- what spoils it ----------------------------------------------------------------------------------------------


def _spoils(folder: DataFolder, spoilt: Spoilt) -> str:
    result, explanation = spoilt.result, spoilt.explanation
    swap = explanation.swaps[0] if explanation.swaps else None
    blamed = explanation.items[0].item
    score = _tone(result.score, 0.3, 0.5)
    left = _board(folder, result.items, {spoilt.changed: ("spoils", "spoils it")}, result.score, "As it is", score)
    right = ""
    if swap is not None:
        after = tuple(swap.into if item == swap.out else item for item in result.items)
        price = "" if swap.price is None else f", {swap.price:.2f}"
        right = '<div class="arrow" aria-hidden="true">→</div>' + _board(
            folder, after, {swap.into: ("mends", f"instead{price}")}, swap.score, "With one swap", "good"
        )
    agrees = "It blames the same piece." if blamed == spoilt.changed else (
        f"Here it blames another: {folder.catalog.get(blamed).title}.")  # fmt: skip
    spoiler = next(item for item in explanation.items if item.item == spoilt.changed)
    return (
        '<section id="mend"><p class="eyebrow">What spoils it</p><h2>One wrong piece, and the swap that mends it</h2>'
        '<p class="soft">We took a test outfit and exchanged one piece for another of its kind. The network was not '
        f"told which. {esc(agrees)} With it, the outfit hangs together {result.coherence:.0%}; without it, "
        f"{result.coherence + spoiler.coherence:.0%}. Scores are for one of the three "
        f"({esc(heading(spoilt.person.profile).lower())}); the outfit as its stylist made it gets "
        f"{100 * spoilt.before.score:.0f}.</p>"
        f'<div class="mend">{left}{right}</div>'
        f'<p class="small soft">Over all {spoilt.tried} test outfits treated like this, it blames the exchanged '
        f"piece in {spoilt.found:.0%}; guessing would in {spoilt.chance:.0%}. The swap is the best of everything in "
        "stock of that kind, by the score for her.</p></section>"
    )


def _board(folder: DataFolder, ids, marks: dict[str, tuple[str, str]], score: float, title: str, tone: str) -> str:
    figures = []
    for item_id in ids:
        kind, words = marks.get(item_id, ("", ""))
        note = f"<b>{esc(words)}</b><br>" if words else ""
        figures.append(
            f'<figure class="{kind}">{_image(folder, item_id)}<figcaption>{note}'
            f"{esc(folder.catalog.get(item_id).title)}</figcaption></figure>"
        )
    return (
        f'<div class="board"><div class="top">{ring(score, title, tone)}<h3>{esc(title)}</h3></div>'
        f'<div class="pieces">{"".join(figures)}</div></div>'
    )


# -- what next ---------------------------------------------------------------------------------------------------


def _next(folder: DataFolder, recommender: Recommender, people: list[Person]) -> str:
    shown = "".join(_person(folder, recommender, person) for person in people)
    return (
        '<section id="next"><p class="eyebrow">What next</p><h2>Her history, her words, her top ten</h2>'
        '<p class="soft">The same three people, each at the moment of her last choice, which the model has not seen. '
        "Everything shown exists in the catalogue and is in stock. Where the thing she then chose is among the ten, "
        f"it is marked.</p>{shown}</section>"
    )


def _person(folder: DataFolder, recommender: Recommender, person: Person) -> str:
    past = [event for event in person.past if event.event != "return"][-12:]
    history = "".join(
        f"<figure>{_image(folder, folder.catalog[e.item].item_id)}<figcaption>{esc(_day(e.time, '%b %Y'))}</figcaption>"
        "</figure>"
        for e in past
    )
    said_words = f"“{person.asked.query}”" if person.asked.query else "She says nothing."
    for_what = f" · for {esc(person.asked.occasion)}" if person.asked.occasion else ""
    hits = recommend(folder, recommender, person)
    target = folder.catalog[person.target]
    cards = []
    for place, hit in enumerate(hits, 1):
        chosen = hit.item.item_id == target.item_id
        price = "" if hit.item.price is None else f"{hit.item.price:.2f}"
        tag = '<span class="tag">she chose this</span>' if chosen else ""
        cards.append(
            f'<li class="{"chosen" if chosen else ""}"><span class="n">{place}</span>'
            f"{_image(folder, hit.item.item_id)}<b>{esc(hit.item.title)}</b>"
            f'<span class="price">{price}</span> {tag}'
            f'<span class="reason">{esc("; ".join(hit.reasons[:2]))}</span></li>'
        )
    fate = "" if any(h.item.item_id == target.item_id for h in hits) else (
        f'<p class="small soft">She then chose something else: {esc(target.title)}'
        f"{'' if target.in_stock else ' (sold out since)'}.</p>")  # fmt: skip
    return (
        f'<article class="person">{_who(person)}<div class="split"><div><p class="label">What she had</p>'
        f'<div class="history">{history}</div></div><div><p class="label">{_day(person.asked.time, "%d %B %Y")}'
        f'{for_what}</p><p class="say">{esc(said_words)}</p><ol class="ten" tabindex="0" aria-label="her top ten">'
        f'{"".join(cards)}</ol>{fate}</div></div></article>'
    )


def _day(seconds: int | None, form: str) -> str:
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime(form).lstrip("0")


# -- figures -----------------------------------------------------------------------------------------------------


def _figures(folder, scorer: OutfitScorer, fitting: Fitting, fcn: Path, seqllm: Path, metrics: dict) -> str:
    fcn_rows = json.loads((fcn / "history.json").read_text(encoding="utf-8"))["rows"]
    llm_rows = json.loads((seqllm / "history.json").read_text(encoding="utf-8"))
    column = lambda rows, name: [row.get(name) for row in rows]  # noqa: E731
    first = fitting.outfits[0]
    oracle = open_oracle(folder.path)
    truth = dict(zip(oracle.labels, oracle.label_probabilities([list(first)])[0].tolist(), strict=True))
    labels = sorted(fitting.results[0][0].labels.items(), key=lambda pair: -pair[1])
    rows = [(_label_words(scorer, label), p, truth.get(label)) for label, p in labels]
    panels = [
        _panel("FCN, validation", "The epoch with the best mean of mAP and AUC is kept.", line_chart(
            {"label mAP": column(fcn_rows, "map"), "coherence AUC": column(fcn_rows, "coherence_auc"),
             "fill in the blank": column(fcn_rows, "fitb")}, "FCN metrics by epoch", 0.0)),
        _panel("Sequential recommender, validation", "Full ranking of every item, no sampled opponents.", line_chart(
            {"NDCG@10": column(llm_rows, "ndcg@10"), "Recall@10": column(llm_rows, "recall@10")},
            "recommender metrics by epoch", 0.0)),
        _panel("Training loss", "Each model’s own, by epoch.", line_chart(
            {"FCN": column(fcn_rows, "loss"), "recommender": column(llm_rows, "loss")}, "training loss by epoch")),
        _panel("Do the probabilities mean what they say?", "Test labels: stated probability (across) against the share "
               "that holds (up). On the dashed line they do; larger dots, more labels.",
               reliability_chart(reliability(folder, scorer), "calibration of label probabilities")),
    ]  # fmt: skip
    tokens = metrics["seqllm"]["profile_tokens"]
    told = "; ".join(f"{name} {row['ndcg@10']:.3f}" for name, row in tokens.items())
    checks = "".join(
        f'<li class="{"ok" if value > floor else "no"}">{esc(claim)}: <b>{value:.3f}</b> '
        f'<span class="soft">(floor {floor:.3f})</span></li>'
        for claim, value, floor in floors(metrics)
    )
    return (
        '<section id="figures"><p class="eyebrow">Figures</p><h2>How good is it, and how good could it be?</h2>'
        '<p class="soft">The oracle is the rules the data were made by, with every hidden taste known: nobody can do '
        "better than that but by luck. All figures are of the test split.</p>"
        + _table(metrics, "fcn", "Whom it suits")
        + _table(metrics, "seqllm", "What next")
        + f'<p class="small soft">Profile tokens, NDCG@10: {esc(told)}.</p><ul class="floors">{checks}</ul>'
        f'<div class="charts">{"".join(panels)}</div>'
        '<div class="panel" style="margin-top:18px"><h3>What the network says of outfit A</h3><p>The likeliest labels. '
        f"Bars: the network. Dark marks: the rules’ true probability, which it never saw.</p>{bars(rows[:10])}"
        f"<details><summary>The other {len(rows) - 10}</summary>{bars(rows[10:])}</details></div></section>"
    )


def _label_words(scorer: OutfitScorer, label: str) -> str:
    return ("not for: " if scorer.vocabulary.polarity_of(label) == "unsuits" else "suits: ") + said(label)


def _panel(title: str, text: str, chart: str) -> str:
    return f'<div class="panel"><h3>{esc(title)}</h3><p>{esc(text)}</p>{chart}</div>'


def _table(metrics: dict, package: str, title: str) -> str:
    header, rows = table_rows(metrics, package)
    header = [title, *header[1:]]
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in header)
    lines = []
    for name, *values in rows:
        cells = []
        for k, value in enumerate(values):
            text = "–" if value is None or value != value else f"{value:.0%}" if k == 2 else f"{value:.3f}"
            cells.append(f'<td{" class=ours" if k == 0 else ""}>{text}</td>')
        lines.append(f'<tr><th scope="row">{esc(name)}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{esc(title)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


# -- your own data -----------------------------------------------------------------------------------------------

COMMANDS = """\
# a folder with dataset.json, items.parquet and, as far as you have them,
# outfits.parquet, people.parquet, interactions.parquet, images/
python -m fcn check data/mine                      # names every problem at once

python train_fcn.py --data data/mine --out runs/fcn
python train_llm.py --data data/mine --out runs/seqllm --fcn runs/fcn

python -m fcn score --model runs/fcn top.jpg skirt.jpg shoes.jpg \\
    --profile body_figure=triangle,height=low
python -m seqllm recommend --model runs/seqllm --history ID ID ID \\
    --query "red summer dress" -k 10"""


def _your_data() -> str:
    return (
        '<section id="yours"><p class="eyebrow">Your own data</p><h2>Point it at your catalogue</h2>'
        '<p class="soft">One folder format serves everything; datasets/README.md describes it, and two scripts there '
        "turn public data sets of real customers into it. Your own label groups go into dataset.json, each "
        "with its polarity: whom an outfit suits, or whom it does not.</p>"
        f"<pre tabindex=0>{esc_block(COMMANDS)}</pre></section>"
    )


def esc_block(text: str) -> str:
    """Escaped, line ends kept."""
    return "\n".join(esc(line) if not line.startswith(" ") else "    " + esc(line) for line in text.split("\n"))


def _footer(folder: DataFolder, metrics: dict) -> str:
    machine = ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in metrics["machine"].items() if value is not None
    )
    versions = ", ".join(f"{name} {value}" for name, value in metrics["versions"].items())
    seconds = ", ".join(f"{name} {value:.0f}" for name, value in metrics["seconds"].items())
    return (
        f"<footer><p>Data: {esc(folder.name)}, {len(folder.catalog):,} items, {folder.outfits.num_rows:,} outfits, "
        f"{folder.people.num_rows:,} people, {folder.interactions.num_rows:,} events. Made data, "
        f"{esc(folder.info.get('licence', ''))}.<br>Seed {metrics['seed']}. Ran on: {esc(machine)}.<br>"
        f"Versions: {esc(versions)}.<br>Seconds: {esc(seconds)}.</p></footer>"
    )
