def write_page(path, folder, fcn, seqllm, metrics):
    path.write_text("x")
