"""What a message wants done, by its form: rules on the plain text, in the order in which they are asked.

Acts are SIMMC 2's of its human turns (ACTS), and GREET and THANK for small talk, which that data set has not.
"""

from __future__ import annotations

import re

ACTS = ("REQUEST:GET", "INFORM:REFINE", "INFORM:GET", "INFORM:DISAMBIGUATE", "ASK:GET", "REQUEST:COMPARE",
        "REQUEST:ADD_TO_CART")  # fmt: skip
_PIECE = r"(?:it|this|that|these|those|them|one|the [\w -]{2,40}?)"
_OUTFIT = (
    r"(?:it|this|that|these|they|the (?:outfit|look|pieces|combination|two|set)|my (?:outfit|look)|everything|"
    r"all this)"
)
_ABOUT = (
    r"\b(?:tell me|know|hear|details?|info|information) (?:a (?:little|bit) )?(?:more )?(?:about|on) "
    r"(?:them|both|it|that|this|those|these|the)\b|\bwhat can you tell me about\b"
)
_RULES: dict[str, re.Pattern] = {
    name: re.compile("|".join(parts))
    for name, parts in {
        "undo": (
            r"\bundo\b",
            r"\btake (?:that|it|this) back\b",
            r"\brevert\b",
            r"\b(?:one )?step back\b",
            r"\bgo back(?= to (?:what|how|before|the (?:last|previous))|\W*$)",
            r"\bscratch that\b",
            r"\bback to (?:what|how) (?:it|we|you) ",
        ),
        "restart": (
            r"\bstart (?:over|again|anew|afresh)\b",
            r"\b(?:begin|start) (?:from scratch|again|new)\b",
            r"^\W*reset\b",
            r"\bforget (?:everything|it all|all (?:of )?(?:that|this))\b",
            r"\bnew search\b",
            r"\bfrom (?:scratch|the beginning)\b",
        ),
        "forget": (
            r"\b(?:forget|delete|erase|clear|remove) (?:what (?:i|you)\b[^.;!?]*\b(?:me|myself)\b|my (?:profile|"
            r"details|data|body|measurements))",
        ),
        "cart": (
            r"\b(?:add|put|toss|throw|place|include|drop|stick|pop)\b[^.?!;]{0,90}\b(?:cart|basket|order)\b",
            r"\b(?:i'?ll|i will|i shall|we'll|i'd like to|i want to|i wanna|let me|can i|could i|going to|gonna|i "
            r"think i'll|ready to) (?:just |also |definitely |probably |go ahead and )?(?:take|buy|grab|order|"
            r"purchase|have|go with|go for|pick up|get)\b(?! (?:an?|some|any|you|me) )"
            r"(?! (?:it|this|that|them|one) (?:cheaper|in|for|longer|shorter)\b)(?! (?:a look|an idea|"
            r"some(?:thing)? (?:like|similar)|to see|back|it (?:in)?to|that into|(?:the |their |its |a )?(?:\w+ "
            r")?(?:prices?|costs?|brands?|sizes?|ratings?|reviews?|info|details|pricing|customer|available)))",
            r"\b(?:in|to|update) (?:my|the) (?:shopping )?(?:cart|basket)\b",
            r"\b(?:ready|want|like|time|going|now) to check ?out\b|^\W*check ?out\b",
            r"\badd (?:the|that|this|those|these|it|them|another|both|one)\b(?! (?:to (?:the|my|that|this) "
            r"(?:search|filter)|limit|filter))",
            r"\b(?:buy|purchase) (?:it|that|this|those|these|them|both|the|one)\b",
            r"\bring (?:me|it|them|those) up\b",
            r"\b(?:i'm|i am) buying\b",
            r"\b(?:get|grab|give) me (?:that|those|these|both|two of|one of (?:those|these|them|the)|the (?:first|"
            r"second))\b",
        ),
        "try_on": (
            rf"\btry(?:ing)? (?:{_PIECE} )?on\b",
            r"\btry-?on\b",
            r"\bon me\b(?! budget)",
            r"\b(?:see|show|put|picture|imagine) me (?:in (?:it|this|that|these|those|"
            r"the (?:\w+ one|first|second|third|last))|wearing)\b",
            rf"\b(?:see|show|put|picture|imagine) (?:myself (?:in|wearing)|{_PIECE} on (?:me|myself|my body))\b",
            r"\b(?:how|what) (?:would|will|do|does|could) i look\b",
            r"\bon (?:my|this) (?:photo|picture|selfie|body)\b",
            r"\bme (?:in|wearing) (?:it|this|that)\b",
            r"\bfitting room\b",
        ),
        "draw": (
            r"\b(?:how|what) (?:it|this|that|they|these|the [\w -]{1,40}?|one) (?:could|would|might|will) look\b",
            r"\b(?:how|what) (?:could|would|might|will|does) (?:it|this|that|they|these|the [\w -]{1,40}?|one|a "
            r"[\w -]{1,40}?) look(?: like)?(?! (?:on me|with))\b",
            r"\b(?:draw|sketch|paint|render|visuali[sz]e|mock ?up|generate|illustrate)\b",
            r"\bimagine (?:it|this|that|the|a|an)\b",
            r"\b(?:make|create|give me) (?:a |an )?(?:picture|image|drawing|sketch)\b",
            r"\b(?:a |an )?(?:picture|image|drawing) of (?:a|an|it|how)\b",
        ),
        "score": (
            r"\b(?:does|do|would|will) [\w' ]{2,40} (?:suit|flatter|fit) me\b",
            rf"\b(?:does|do|would|will|did) {_OUTFIT} (?:really |even )?(?:go (?:well )?together|work together|"
            r"suit me|flatter me|match(?: each other)?|look good|look ok|clash|hang together|work on me|fit "
            r"together|work\W*$|go\W*$)",
            r"\bhow (?:well )?(?:does|do|would) [\w' ]{2,40} (?:suit|flatter|go together|work together|fit "
            r"together|fit me)\b",
            r"\b(?:rate|score|judge|evaluate|review) (?:my|this|the|these|our) (?:outfit|look|combination|combo|"
            r"pieces|set)\b",
            r"\bwhat do you (?:think|say) (?:of|about|to) (?:my|this|the) (?:outfit|look|combination|combo)\b",
            r"\b(?:is|are) (?:this|that|it|these|my outfit|the outfit|this outfit) (?:a )?(?:good (?:outfit|match|"
            r"combination)|ok together|flattering|right for me|good together)\b",
            r"\b(?:go|goes|work|look|fit|be worn) (?:good |well |nice )?together\b",
            r"\bwhich (?:piece|one|item) spoils\b",
            r"\bdoes (?:it|this|that) (?:all )?(?:go together|suit)\b",
        ),
        "complete": (
            r"\b(?:match|matches|complement|complements) (?:it|this|that|them|these|those|the)\b",
            r"\b(?:go|goes|going|works?|pairs?|looks? good|fits?|match|matches|combines?) (?:well |best |nicely |"
            r"great )?with (?:it|this|that|them|these|those|the|my|an?|some)\b(?! (?:wardrobe|closet|ensemble|"
            r"rest|budget|other clothes|clothes|style))",
            r"\bto (?:go|wear|match|pair|combine)(?: \w+)? (?:with|under|over)\b",
            r"\bwear (?:\w+ )?(?:with|under|over) (?:it|this|that|them|the|my)\b",
            r"\bto match\b(?! my (?:wardrobe|style))",
            r"\bmatching (?:\w+ ){1,2}(?:for|to) (?:it|this|that|the)\b",
            r"\bcomplete (?:the|my|this|that|it|an)\b",
            r"\b(?:finish|round off|top off) (?:the|my|this|it) ?(?:look|outfit|off)?\b",
            r"\badd (?:an?|some|another) [^.?!;]{1,60} to (?:it|this|that|them|these|those|what|the (?:look|outfit)|"
            r"my (?:look|outfit))\b",
            r"\b(?:i'm|i am|we're|what's|what is|outfit is|look is|am i) (?:still |only |just )?(?:missing|lacking)\b",
            r"\b(?:here is|here's|this is) what i(?:'m| am|'ve| have)? (?:wearing|wear|got|on)\b",
            r"\bi(?:'m| am) (?:already )?wearing (?:it|this|that|these|those|them)\b",
            r"\bmy (?:outfit|look) so far\b",
            r"\bstyle (?:it|this|that|them|the)\b",
            r"\bwhat else (?:should|could|can|do|would) i wear\b",
            r"\brest of (?:the|my) (?:outfit|look)\b",
            r"\bbuild (?:an|me an|the) outfit (?:around|with|from)\b",
            r"\bmatch (?:it|this|that) with\b",
        ),
        "compare": (
            r"\bcompar(?:e|es|ed|ison|isons|ing)\b",
            r"\bdifferen(?:ce|ces) (?:between|of|in|among)\b",
            r"\bdiffer\b",
            r"\bversus\b|\bvs\b",
            r"\b(?:how|tell me (?:how|the)) [^.?!;]{0,80}\b(?:are|is) different\b",
            r"\bdifferences\b",
            r"\bdifferent (?:between|from)\b|\bhow different\b",
            r"\b(?:is|are) [^.?!;]{5,80} the same\b",
            r"\bwhich (?:one |of (?:them|these|those|the) )?(?:[\w ]{1,20} )?(?:is|has|have|are) (?:the |a "
            r")?(?:cheaper|better|longer|nicer|higher|lower|more)\b",
            _ABOUT,
        ),
        "about": (
            _ABOUT,
        ),
        "more": (
            r"\b(?:show|see|any|some|have|got|are there|give)\b[^.?!;]{0,30}\b(?:more|others?|else|another|"
            r"alternatives)\b(?! (?:expensive|about|than))",
            r"\b(?:something|anything|what|someone) (?:else|different)\b",
            r"^\W*(?:more|next|others?|else|another(?: one)?|keep going)\W*(?:please)?\W*$",
            r"\bother (?:ones|options|choices|ideas)\b",
            r"\bmore (?:options|choices|ideas|of (?:them|these|those|that))\b",
            r"\b(?:different|new) (?:ones|options|ideas)\b",
            r"\bwhat (?:else|other)\b",
            r"\balternatives?\b",
            r"\bmore like\b",
        ),
        "similar": (
            r"^\W*(?:the )?same\b(?: (?:but|in|one|thing|with|only|piece))",
            r"\b(?:similar|comparable|close|close in \w+|related|akin|identical)\b",
            r"\b(?:something|anything|one|ones|more|items?|options?|pieces?|\w+s|else|dress|coat|jacket|hoodie|"
            r"just|exactly|looks?|a bit|much|pair) like (?:it|this|that|these|those|them|the|your|number|option|"
            r"my)\b",
            r"\b(?:same|in the same|of the same) (?:\w+ )?(?:as|style|kind|type|brand|pattern|color|colour|size|"
            r"price|material|sleeve|company|customer|available|range|maker|rating|length)\b",
            r"^\W*like (?:it|this|that|the|number)\b",
            r"\bin the style of\b",
        ),
        "search": (
            r"\b(?:find|search|look up|look for|searching for|look through)\b",
        ),
        "ask": (
            r"\b(?:what|what's|whats|how|which|who|who's|whose|tell|know|hear|is|are|does|do|did|can|could|may|"
            r"give|get|remind|list|share|about|check|see|curious|wondering|wonder|need|have)\b",
        ),
        "get": (
            r"\b(?:show|looking for|look for|find|search|recommend|suggest|need|want|interested in|shop(?:ping)? "
            r"for|browse|see (?:some|any|your|more)|any|some|do you (?:have|sell|carry|stock)|have you got|got "
            r"any|are there|is there|let's see|what do you have|what about|how about)\b",
        ),
        "seeks": (
            r"\b(?:show|looking for|look for|find|search|recommend|suggest|interested in|some(?:thing)?|"
            r"any(?:thing)?|similar|same|like (?:the|those|these|that|this)|options?|else|others?)\b|\b(?:do you "
            r"have|have you got|i want|i need|i'd like) (?:an?|\w+s)\b",
            r"\b(?:should|must|has to|have to|needs? to) (?:not )?be\b|\bmy favou?rite \w+ (?:is|are)\b",
        ),
        "i_mean": (
            r"\bi(?:'m| am)? (?:mean|meant|was (?:talking|asking|referring)|refer|referring|talking|"
            r"speaking)\b(?! to)",
        ),
        "mean": (
            r"\bi(?:'m| am)? (?:mean|meant|was (?:talking|asking|referring|looking)|refer|referring|talking|"
            r"asking|speaking)\b",
            r"^\W*(?:oh,? |sorry,? |um,? |uh,? |yeah,? |yes,? |both\b|the |that |those |these |just )",
        ),
        "greet": (
            r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|greetings)\b",
        ),
        "thank": (
            r"\b(?:thanks|thank you|thx|cheers|ty|bye|goodbye|see you|perfect|great|that's all|that is all|that "
            r"will be all)\b",
        ),
        "reject": (
            r"^\W*not (?:really |quite )?(?:my (?:style|thing|taste)|for me|what i)\b",
            r"^\W*(?:no|nope|nah|not)\W+(?:thanks\W+|thank you\W+|not )?(?:these|those|them|any of|this)\b",
            r"\b(?:none|neither) of (?:them|these|those|the)\b",
            r"\bnot (?:these|those|them|any of)\b",
            r"\bi (?:don't|do not|didn't) (?:really )?(?:like|love|want|care for) (?:any|these|those|them|"
            r"either)\b",
            r"\b(?:hate|dislike) (?:them|these|those|all)\b",
        ),
        "surprise": (
            r"\bsurprise me\b",
            r"\b(?:anything|whatever) (?:you (?:like|think|recommend|want)|goes|works)\b",
            r"\byour (?:choice|pick)\b",
            r"\bwhat (?:do|would|can) you (?:recommend|suggest)\b",
            r"\b(?:recommend|suggest) (?:me )?(?:something|anything)\b",
        ),
    }.items()
}


def form(text: str, name: str) -> re.Match | None:
    """Where a plain text has a form ("undo", "try_on" ...), None where it has not."""
    return _RULES[name].search(text)


def doing(text: str) -> str | None:
    """The first of what a message may want done that its form shows; None: it looks for something, or only tells."""
    order = ("undo", "restart", "forget", "try_on", "draw", "score", "compare", "cart", "complete", "similar")
    return next((name for name in order if form(text, name)), None)
