"""Talk, see, try on, change your mind: the multi-round fashion assistant (FashionM3, arXiv 2504.17826)."""
