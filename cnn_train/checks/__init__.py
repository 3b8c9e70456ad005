"""Before a long run: is the network sane, are its gradients right, where does its time go?"""
