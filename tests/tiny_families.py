"""Families of language models in miniature: the published configs with small sizes, and random weights."""

import json
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PreTrainedModel,
)

SMALL = {
    **{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 64},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2},
}
ALL_HEADS = SMALL | {"num_key_value_heads": 4}
LLAMA_3 = {
    **{"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_type": "llama3"},
    "original_max_position_embeddings": 8192,
}
LONG = {"type": "longrope", "long_factor": [1.05, 2.1], "short_factor": [1.0, 1.05]}
GEMMA = SMALL | {
    "head_dim": 8,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-6,
    "hidden_activation": "gelu_pytorch_tanh",
}
GPT2 = {"n_embd": 16, "n_head": 4, "n_layer": 2, "n_positions": 1024, "vocab_size": 64, "n_ctx": 1024}

# What a published config.json says, but for the sizes.
FAMILIES = {
    "Llama 2": {
        **ALL_HEADS,
        **{"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_scaling": None},
        **{"pretraining_tp": 1, "tie_word_embeddings": False, "max_position_embeddings": 4096},
    },
    "Llama 3.1": {
        **SMALL,
        **{"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "rope_scaling": LLAMA_3},
        **{"attention_bias": False, "mlp_bias": False, "max_position_embeddings": 131072},
        **{"tie_word_embeddings": False, "eos_token_id": [2, 3, 4]},
    },
    "Llama 3.2": {
        **SMALL,
        **{"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "head_dim": 4},
        **{"rope_scaling": LLAMA_3 | {"factor": 32.0}, "tie_word_embeddings": True},
    },
    "Mistral 0.1": {
        **SMALL,
        **{"model_type": "mistral", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 4096},
        "tie_word_embeddings": False,
    },
    "Mistral 0.3": {
        **SMALL,
        **{"model_type": "mistral", "rms_norm_eps": 1e-5, "rope_theta": 1e6, "sliding_window": None},
        "tie_word_embeddings": False,
    },
    "Mistral Nemo": {
        **SMALL,
        **{"model_type": "mistral", "rms_norm_eps": 1e-5, "rope_theta": 1e6, "sliding_window": None},
        **{"head_dim": 8, "tie_word_embeddings": False},
    },
    "Qwen 2": {
        **SMALL,
        **{"model_type": "qwen2", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "sliding_window": 32768},
        **{"max_window_layers": 2, "use_sliding_window": False, "tie_word_embeddings": True},
    },
    "Qwen 2.5": {
        **SMALL,
        **{"model_type": "qwen2", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "sliding_window": 131072},
        **{"max_window_layers": 2, "use_sliding_window": False, "tie_word_embeddings": False},
    },
    "Qwen 3": {
        **SMALL,
        **{"model_type": "qwen3", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "head_dim": 8},
        **{"sliding_window": None, "use_sliding_window": False, "attention_bias": False},
        "tie_word_embeddings": True,
    },
    "Gemma 1": GEMMA | {"model_type": "gemma", "hidden_act": "gelu", "rope_theta": 10000.0},
    "Gemma 2": {
        **GEMMA,
        **{"model_type": "gemma2", "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
        **{"query_pre_attn_scalar": 256, "sliding_window": 4096, "rope_theta": 10000.0},
    },
    "Gemma 3": {
        **GEMMA,
        **{"model_type": "gemma3_text", "rope_local_base_freq": 10000, "rope_theta": 1000000},
        **{"query_pre_attn_scalar": 256, "sliding_window": 512, "sliding_window_pattern": 6},
    },
    "Phi 2": {
        **ALL_HEADS,
        **{"model_type": "phi", "hidden_act": "gelu_new", "layer_norm_eps": 1e-5, "rope_theta": 10000.0},
        **{"partial_rotary_factor": 0.5, "qk_layernorm": False, "tie_word_embeddings": False},
    },
    "Phi 3": {
        **ALL_HEADS,
        **{"model_type": "phi3", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 2047},
        **{"rope_scaling": None, "pad_token_id": 0, "tie_word_embeddings": False},
    },
    "Phi 3 with 128k": {
        **ALL_HEADS,
        **{"model_type": "phi3", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": LONG},
        **{"pad_token_id": 0, "tie_word_embeddings": False, "max_position_embeddings": 131072},
        "original_max_position_embeddings": 4096,
    },
    "OLMo": {
        **ALL_HEADS,
        **{"model_type": "olmo", "clip_qkv": None, "rope_theta": 10000.0, "pad_token_id": 0},
        **{"tie_word_embeddings": False, "attention_bias": False},
    },
    "OLMo 2": {
        **ALL_HEADS,
        **{"model_type": "olmo2", "rms_norm_eps": 1e-6, "rope_theta": 500000, "pad_token_id": 0},
        **{"tie_word_embeddings": False, "attention_bias": False, "rope_scaling": None},
    },
    "OLMo 3": {
        **ALL_HEADS,
        **{"model_type": "olmo3", "rms_norm_eps": 1e-6, "rope_theta": 500000, "pad_token_id": 0},
        **{"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4096},
        "tie_word_embeddings": False,
    },
    "SmolLM 2": {
        **SMALL,
        **{"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 130000, "rope_interleaved": False},
        **{"rope_scaling": None, "tie_word_embeddings": True, "pad_token_id": 2},
    },
    "SmolLM 3": {
        **SMALL,
        **{"model_type": "smollm3", "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "no_rope_layers": [1, 0]},
        **{"no_rope_layer_interval": 2, "pad_token_id": 0, "tie_word_embeddings": True},
    },
    "Granite 3": {
        **SMALL,
        **{"model_type": "granite", "attention_multiplier": 0.015625, "embedding_multiplier": 12.0},
        **{"logits_scaling": 16.0, "residual_multiplier": 0.22, "rms_norm_eps": 1e-5},
        **{"rope_theta": 10000000.0, "tie_word_embeddings": True, "pad_token_id": 0},
    },
    "Falcon 7B": {
        **{"model_type": "falcon", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"vocab_size": 64, "alibi": False, "bias": False, "multi_query": True, "parallel_attn": True},
        **{"new_decoder_architecture": False, "bos_token_id": 1, "eos_token_id": 2},
    },
    "Falcon 40B": {
        **{"model_type": "falcon", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"vocab_size": 64, "alibi": False, "bias": False, "multi_query": True, "parallel_attn": True},
        **{"new_decoder_architecture": True, "num_kv_heads": 2, "bos_token_id": 1, "eos_token_id": 2},
    },
    "Falcon 3": {
        **SMALL,
        **{"model_type": "llama", "rms_norm_eps": 1e-6, "rope_theta": 1000042, "head_dim": 8},
        "tie_word_embeddings": False,
    },
    "GPT-NeoX": {
        **{"model_type": "gpt_neox", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2},
        **{"num_attention_heads": 4, "vocab_size": 64, "rotary_pct": 0.25, "rotary_emb_base": 10000},
        **{"use_parallel_residual": True, "layer_norm_eps": 1e-5, "tie_word_embeddings": False},
        **{"bos_token_id": 1, "eos_token_id": 2},
    },
    "StableLM 2": {
        **ALL_HEADS,
        **{"model_type": "stablelm", "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.25},
        **{"rope_theta": 10000, "use_qkv_bias": True, "use_parallel_residual": False},
        "tie_word_embeddings": False,
    },
    "GPT-2": GPT2 | {"model_type": "gpt2", "layer_norm_epsilon": 1e-5, "bos_token_id": 2, "eos_token_id": 2},
    "Cohere": {
        **SMALL,
        **{"model_type": "cohere", "layer_norm_eps": 1e-5, "logit_scale": 0.0625, "rope_theta": 8000000.0},
        **{"use_qk_norm": False, "pad_token_id": 0},
    },
    "Cohere 2": {
        **SMALL,
        **{"model_type": "cohere2", "layer_norm_eps": 1e-5, "logit_scale": 0.25, "rope_theta": 50000},
        **{"sliding_window": 4096, "sliding_window_pattern": 4, "pad_token_id": 0, "head_dim": 4},
    },
    "StarCoder 2": {
        **SMALL,
        **{"model_type": "starcoder2", "norm_epsilon": 1e-5, "rope_theta": 999999.4, "use_bias": True},
        "sliding_window": 4096,
    },
    "EXAONE 4": {
        **SMALL,
        **{"model_type": "exaone4", "rms_norm_eps": 1e-5, "rope_theta": 1000000, "head_dim": 8},
        **{"sliding_window": None, "layer_types": ["full_attention", "full_attention"]},
        **{"tie_word_embeddings": True, "pad_token_id": 0},
    },
    "GLM 4": SMALL | {"model_type": "glm4", "head_dim": 8, "partial_rotary_factor": 0.5, "pad_token_id": 0},
    "BLOOM": {
        **{"model_type": "bloom", "hidden_size": 16, "n_layer": 2, "n_head": 4, "vocab_size": 64},
        **{"layer_norm_epsilon": 1e-5, "bos_token_id": 1, "eos_token_id": 2},
    },
    "OPT": {
        **{"model_type": "opt", "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "vocab_size": 64},
        **{"num_attention_heads": 4, "word_embed_proj_dim": 16, "do_layer_norm_before": True},
        **{"bos_token_id": 2, "eos_token_id": 2},
    },
}
EXPERTS = {
    **SMALL,
    **{"num_local_experts": 4, "num_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2},
    **{"moe_intermediate_size": 8, "shared_expert_intermediate_size": 8, "n_group": 1, "topk_group": 1},
    **{"first_k_dense_replace": 1, "n_shared_experts": 1, "pad_token_id": 0},
}
LATENT = {
    **{"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 4},
    "num_key_value_heads": 4,
}
TEXT = SMALL | {"head_dim": 4, "pad_token_id": 0}
TURNS = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 0]}}
SIGHT = {
    **{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"image_size": 8, "patch_size": 4, "depth": 2, "num_heads": 4, "spatial_merge_size": 1},
    **{"out_hidden_size": 16, "embed_dim": 16, "temporal_patch_size": 1, "fullatt_block_indexes": [1]},
}

# Mixtures of experts, and models that see.
OTHERS = {
    "Mixtral": EXPERTS | {"model_type": "mixtral"},
    "Qwen 2 MoE": EXPERTS | {"model_type": "qwen2_moe"},
    "Qwen 3 MoE": EXPERTS | {"model_type": "qwen3_moe"},
    "OLMoE": EXPERTS | {"model_type": "olmoe"},
    "DeepSeek 3": EXPERTS | LATENT | {"model_type": "deepseek_v3"},
    "GPT-OSS": EXPERTS | {"model_type": "gpt_oss"},
    "Qwen 2 VL": {
        **{"model_type": "qwen2_vl", "text_config": TEXT | TURNS},
        "vision_config": {key: value for key, value in SIGHT.items() if key != "out_hidden_size"},
    },
    "Qwen 2.5 VL": {"model_type": "qwen2_5_vl", "text_config": TEXT | TURNS, "vision_config": SIGHT},
    "Llava": {
        **{"model_type": "llava", "text_config": TEXT | {"model_type": "llama"}, "image_token_index": 60},
        "vision_config": SIGHT | {"model_type": "clip_vision_model"},
    },
    "Gemma 3 with images": {
        **{"model_type": "gemma3", "text_config": TEXT, "vision_config": SIGHT},
        **{"mm_tokens_per_image": 4, "image_token_index": 60},
    },
}


def model_class(content: dict) -> type:
    """The class that loads a model of this config."""
    return AutoModelForImageTextToText if "vision_config" in content else AutoModelForCausalLM


def pair(folder: Path, content: dict) -> list[Path]:
    """Write two models of one config with random weights in float32, and a tokenizer that fits."""
    return [_write(folder / name, content, seed) for seed, name in enumerate("ab", 1)]


def _write(folder: Path, content: dict, seed: int) -> Path:
    torch.manual_seed(seed)
    model: PreTrainedModel = model_class(content).from_config(AutoConfig.for_model(**content))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.to(torch.float32).save_pretrained(folder)
    named = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    (folder / "config.json").write_text(json.dumps({"architectures": named} | content), encoding="utf-8")
    for name, text in _tokenizer().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@cache
def _tokenizer() -> dict[str, str]:
    """The files of a tokenizer of 64 words."""
    vocabulary = {f"w{n}": n for n in range(63)} | {"<|endoftext|>": 63}  # Qwen's class adds it otherwise
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    special = {"bos_token": "w1", "eos_token": "w2", "pad_token": "w0"}
    configured = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    return {"tokenizer.json": words.to_str(), "tokenizer_config.json": json.dumps(configured)}
