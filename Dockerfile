# The whole book, on any machine with Docker; where that is no x86-64, it is emulated, and slow: MXNet's wheel for arm64 needs
# Arm's Performance Libraries, which neither it nor Debian has.
#     docker build --platform linux/amd64 -t hot-dog-book .
#     docker run --rm -p 8888:8888 hot-dog-book            JupyterLab, at the address that it prints
#     docker run --rm -v "$PWD/site:/book/_build" hot-dog-book make book
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git make libgomp1 libquadmath0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /book
COPY Makefile requirements.lock ./
COPY book/setup.sh book/
RUN make
COPY . .
CMD [".venv/bin/jupyter", "lab", "--config=jupyter_server_config.py", "--ip=0.0.0.0", "--no-browser", "--allow-root"]
