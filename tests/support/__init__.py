"""What tests share: real servers on free loopback ports, throwaway venues."""
