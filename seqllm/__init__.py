"""What should this person be shown next? The Sequential LLM Framework for Fashion Recommendation (EMNLP 2024)."""
