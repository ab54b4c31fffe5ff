def main(clients):
    return {}
